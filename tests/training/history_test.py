import csv

import pytest

from vgg_slim.errors import CheckpointError
from vgg_slim.training.history import EpochMetrics, MetricsFile, has_row, read_history


def row(step, **values):
  return EpochMetrics(
    **{
      'step': step,
      'epoch': 1.0,
      'train_loss': 0.5,
      'train_accuracy': 0.75,
      'validation_loss': None,
      'validation_accuracy': None,
      'learning_rate': 0.01,
      'images_per_second': 12.3456789,
      **values,
    }
  )


def read(folder):
  with (folder / 'metrics.csv').open(newline='') as stream:
    return list(csv.DictReader(stream))


def test_rows_with_and_without_validation(tmp_path):
  metrics = MetricsFile(str(tmp_path), last_step=0)
  metrics.add(row(10))
  metrics.add(row(20, validation_loss=0.25, validation_accuracy=1.0))
  first, second = read(tmp_path)
  assert list(first) == list(EpochMetrics._fields)
  assert (first['step'], first['validation_loss'], first['images_per_second']) == (
    '10',
    '',
    '12.3457',
  )
  assert (second['validation_loss'], second['validation_accuracy']) == ('0.25', '1')


def test_a_resumed_run_drops_the_rows_of_steps_that_it_repeats(tmp_path):
  metrics = MetricsFile(str(tmp_path), last_step=0)
  for step in (10, 20, 30):
    metrics.add(row(step))
  before = (tmp_path / 'metrics.csv').read_text().splitlines()
  resumed = MetricsFile(str(tmp_path), last_step=20)
  assert [r.step for r in resumed.rows] == [10, 20]
  resumed.add(row(30, train_loss=9.0))
  assert (tmp_path / 'metrics.csv').read_text().splitlines()[:-1] == before[:-1]
  assert [(r['step'], r['train_loss']) for r in read(tmp_path)] == [
    ('10', '0.5'),
    ('20', '0.5'),
    ('30', '9'),
  ]


def test_a_step_has_one_row(tmp_path):
  metrics = MetricsFile(str(tmp_path), last_step=0)
  assert not has_row(str(tmp_path), 10)
  metrics.add(row(10))
  metrics.add(row(10, train_loss=9.0))
  assert [r['train_loss'] for r in read(tmp_path)] == ['0.5']
  assert has_row(str(tmp_path), 10)
  assert not has_row(str(tmp_path), 1)


def test_rows_are_read_back(tmp_path):
  metrics = MetricsFile(str(tmp_path), last_step=0)
  metrics.add(row(10))
  metrics.add(row(20, validation_loss=0.25, validation_accuracy=1.0))
  first, second = read_history(str(tmp_path))
  assert (first.step, first.validation_loss, first.train_loss) == (10, None, 0.5)
  assert (second.step, second.validation_loss, second.validation_accuracy) == (20, 0.25, 1.0)


@pytest.mark.parametrize('text', [None, 'step,epoch\n1,1\n', 'a\n', 'x' * 200_000])
def test_a_file_that_is_not_a_history_is_named(tmp_path, text):
  if text is not None:
    (tmp_path / 'metrics.csv').write_text(text)
  with pytest.raises(CheckpointError, match='metrics.csv'):
    read_history(str(tmp_path))


def test_a_run_does_not_overwrite_a_file_that_is_not_a_history(tmp_path):
  (tmp_path / 'metrics.csv').write_text('step,epoch\n1,1\n')
  with pytest.raises(CheckpointError, match='metrics.csv'):
    MetricsFile(str(tmp_path), last_step=1)


def test_files_of_earlier_versions_lack_the_later_columns(tmp_path):
  MetricsFile(str(tmp_path), 0).add(row(10, images_per_second=12.5, validation_macro_f1=0.5))
  path = tmp_path / 'metrics.csv'
  lines = [line.rsplit(',', 2)[0] for line in path.read_text().splitlines()]
  path.write_text('\n'.join(lines) + '\n')
  assert read_history(str(tmp_path)) == [row(10, images_per_second=12.5)]
