import csv
import io
import json

import numpy as np
import pytest

from tests.evaluation.fabricated import probabilities_of, scored_checkpoint
from tests.testing import make_data_set
from vgg_slim.data import manifest as manifests
from vgg_slim.evaluation import outputs, tables
from vgg_slim.evaluation.class_map import ClassMap


@pytest.fixture
def evaluation(tmp_path):
  """(tables, comparisons, manifest, shards) of a split whose first image is misclassified."""
  data_dir, manifest = make_data_set(tmp_path / 'data', per_class=4)
  labels = [0, 1, 0, 1, 1, 0]
  passes = {('dense', 32): probabilities_of([1, *labels[1:]], num_classes=2)}
  scored = [scored_checkpoint(passes, labels, ('dense',), model) for model in ('vgg_a', 'vgg_b')]
  shards = manifests.shard_paths(data_dir, manifest, 'train')
  return tables.make_tables(scored), tables.compare(scored), manifest, shards


def test_json_holds_all_results(evaluation):
  shown, comparisons, *_ = evaluation
  stream = io.BytesIO()
  outputs.write_json(stream, shown, comparisons)
  values = json.loads(stream.getvalue())
  assert values['top_1_error'] == pytest.approx(1 / 6)
  assert (values['model'], values['test_scales'], values['flip']) == ('vgg_a + vgg_b', [32], True)
  assert (values['pool_rounding'], values['precision']) == ('floor', 'float32')
  assert [table['paper'] for table in values['tables']] == [3, 6]
  assert [line['model'] for line in values['tables'][0]['lines']] == ['vgg_a', 'vgg_b']
  assert values['mcnemar'][0]['p_value'] == 1


def csv_of(evaluation):
  shown, _, manifest, shards = evaluation
  stream = io.BytesIO()
  outputs.write_csv(stream, shown[-1].lines, manifest.class_names, shards)
  return list(csv.DictReader(io.StringIO(stream.getvalue().decode())))


def test_csv_rows_have_the_file_names_of_the_records(evaluation):
  rows = csv_of(evaluation)
  assert len({row['file'] for row in rows}) == 6
  assert [row['class_1'] == row['label'] for row in rows] == [False] + [True] * 5
  assert {row['precision'] for row in rows} == {'float32'}


def test_report_shows_the_misclassified_image(evaluation):
  shown, comparisons, manifest, shards = evaluation
  stream = io.BytesIO()
  classes = ClassMap(manifest.class_names, np.arange(2))
  outputs.write_report(stream, shown, comparisons, classes, shards)
  first = csv_of(evaluation)[0]['file']
  assert f'class_0, predicted as class_1 (90.0%): {first}' in stream.getvalue().decode()
