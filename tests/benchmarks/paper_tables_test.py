import dataclasses
import io
import re
import shutil

import pytest

from tests.testing import make_data_set
from vgg_slim.benchmarks import paper_tables
from vgg_slim.benchmarks.paper_errors import TABLE_3, Setting
from vgg_slim.benchmarks.paper_tables import Recipe, Row
from vgg_slim.configs.config import FineTuneConfig
from vgg_slim.errors import CheckpointError
from vgg_slim.evaluation.results import Line
from vgg_slim.reporting import Reporter

B = Setting('vgg_b', 256, 256)
A = Setting('vgg_a', 256, 256)
E = Setting('vgg_e', 256, 512)


def test_training_scales_are_in_proportion_to_the_image_size(tmp_path):
  _, manifest = make_data_set(tmp_path / 'data', per_class=4)
  recipe = Recipe(channels=3, image_size=64)
  config = paper_tables.train_config(E, recipe, 'data', manifest)
  assert (config.net.model, config.net.image_size) == ('vgg_e@3', 64)
  scales = config.preprocessing
  assert (scales.train_scale_min, scales.train_scale_max) == (256 * 64 // 224, 512 * 64 // 224)


def test_networks_are_initialized_from_each_other_as_in_the_paper():
  def start(*setting):
    return paper_tables.find_start(Setting(*setting), TABLE_3)

  assert start('vgg_a', 256, 256) is start('vgg_a_lrn', 256, 256) is None
  assert start('vgg_b', 256, 256) == A
  assert start('vgg_e', 384, 384) == Setting('vgg_e', 256, 256)
  assert start('vgg_e', 256, 512) == Setting('vgg_e', 384, 384)
  assert paper_tables.find_start(E, [A]) is paper_tables.find_start(B, []) is None


def test_only_another_network_gives_its_first_layers(tmp_path):
  _, manifest = make_data_set(tmp_path / 'data', per_class=4)

  def fine_tune(setting, *start):
    return paper_tables.train_config(setting, Recipe(), 'data', manifest, *start).fine_tune

  assert fine_tune(A) == FineTuneConfig()
  assert fine_tune(B, A, 'a') == FineTuneConfig(checkpoint_path='a', from_net_a=True)
  larger = Setting('vgg_e', 384, 384)
  assert fine_tune(E, larger, 'e') == FineTuneConfig(checkpoint_path='e', from_net_a=False)


def test_three_networks_from_training_to_tables(tmp_path):
  data_dir, manifest = make_data_set(tmp_path / 'data', per_class=4)
  recipe = Recipe(channels=1, fc_units=4, steps=1, batch_size=4)
  shown = io.StringIO()
  scored = paper_tables.run_all(
    (A, B, E), recipe, data_dir, manifest, tmp_path / 'runs', Reporter(shown)
  )
  first, second, third = shown.getvalue().splitlines()
  assert first == '1 of 3: vgg_a@1, S = 36 px ...'
  assert re.fullmatch(r'2 of 3: vgg_b@1, S = 36 px, ETA \d+:\d\d \.\.\.', second)
  assert re.fullmatch(r'3 of 3: vgg_e@1, S = \[36;73\] px, ETA \d+:\d\d \.\.\.', third)
  tables = paper_tables.make_tables(scored)
  shown = {
    number: [
      (row.line.result.model, row.line.result.view, row.line.result.test_scales, row.paper_error)
      for row in rows
    ]
    for number, rows in tables.items()
  }
  assert shown == {
    3: [
      ('vgg_a@1', 'dense', (32,), 29.6),
      ('vgg_b@1', 'dense', (32,), 28.7),
      ('vgg_e@1', 'dense', (32,), 25.5),
    ],
    4: [('vgg_b@1', 'dense', (32, 64), 28.2), ('vgg_e@1', 'dense', (32, 64), 24.8)],
    5: [
      ('vgg_e@1', 'dense', (32, 64), 24.8),
      ('vgg_e@1', 'multi_crop', (32, 64), 24.6),
      ('vgg_e@1', 'dense+multi_crop', (32, 64), 24.4),
    ],
  }


def test_the_remaining_time_is_in_proportion_to_the_work():
  assert paper_tables.remaining_seconds(0.0, [10, 30, 20], 0) is None
  assert paper_tables.remaining_seconds(3.0, [0, 30, 20], 1) is None  # only scored
  assert paper_tables.remaining_seconds(5.0, [10, 30, 20], 1) == 25.0
  assert paper_tables.remaining_seconds(30.0, [10, 30, 20], 2) == 15.0


def test_a_folder_of_other_runs_is_refused_before_anything_is_trained(tmp_path):
  data_dir, manifest = make_data_set(tmp_path / 'data', per_class=4)
  recipe = Recipe(channels=1, fc_units=4, steps=1, batch_size=4)
  folder, shown = str(tmp_path / 'runs'), io.StringIO()

  def run(settings, recipe, data_dir=data_dir, manifest=manifest):
    return paper_tables.run_all(settings, recipe, data_dir, manifest, folder, Reporter(shown))

  first = run([B], recipe)
  assert run([B], recipe)[B].checkpoint == first[B].checkpoint
  assert shown.getvalue().splitlines()[1:] == ['1 of 1: vgg_b@1, S = 36 px, trained before ...']
  moved = str(shutil.copytree(data_dir, tmp_path / 'moved'))
  assert run([B], recipe, moved)[B].checkpoint == first[B].checkpoint
  with pytest.raises(
    CheckpointError, match=r'\(the fingerprint of --data_dir was \w{8}, now \w{8}'
  ):
    run([B], recipe, *make_data_set(tmp_path / 'other', per_class=8))
  files = sorted(tmp_path.rglob('*'))
  with pytest.raises(CheckpointError) as refused:
    run([A, B], recipe._replace(steps=2, seed=7))
  assert sorted(tmp_path.rglob('*')) == files
  assert str(refused.value) == (
    f'--folder={folder} holds networks that were trained otherwise: vgg_b_256_256 (--steps was 1, '
    'now 2, --seed was 0, now 7, its start was scratch, now vgg_a_256_256). Give the flags of that '
    'time, remove the folders of these networks, or give another --folder.'
  )
  run([A], recipe)
  with pytest.raises(CheckpointError, match='its start was scratch, now vgg_a_256_256'):
    run([A, B], recipe)


def test_pairs_ordered_against_the_paper_by_hand():
  @dataclasses.dataclass
  class Result:
    top_1_error: float

  def row(ours, papers):
    return Row(Line(Result(ours), None, None, ()), papers)

  rows = [row(0.3, 29.6), row(0.2, 28.7), row(0.25, 28.1), row(0.25, 28.1)]
  reversed_pairs, total = paper_tables.find_disagreements(rows)
  assert [(a.line.result.top_1_error, b.line.result.top_1_error) for a, b in reversed_pairs] == [
    (0.2, 0.25)
  ] * 2
  assert total == 5  # six pairs, of which the last two rows are tied


def test_tables_of_no_settings_are_empty():
  assert paper_tables.make_tables({}) == {3: [], 4: [], 5: []}


@pytest.mark.parametrize('setting', TABLE_3)
def test_every_setting_is_one_of_the_papers(setting):
  assert setting.model in ('vgg_a', 'vgg_a_lrn', 'vgg_b', 'vgg_c', 'vgg_d', 'vgg_e')
  assert (setting.smallest, setting.largest) in ((256, 256), (384, 384), (256, 512))
