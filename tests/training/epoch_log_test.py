from vgg_slim.compat import tf
from vgg_slim.training.epoch_log import EpochLog
from vgg_slim.training.history import EpochMetrics, read_history


def epoch(step, loss, accuracy):
  return EpochMetrics(step, step / 4, 0.5, 0.75, loss, accuracy, 0.1, 9.0)


def curves(folder):
  """(tag, step, value) of all scalars in the event files of a folder."""
  return {
    (value.tag, event.step, round(value.simple_value, 5))
    for path in folder.glob('events.out.tfevents.*')
    for event in tf.train.summary_iterator(str(path))
    for value in event.summary.value
  }


def test_an_epoch_becomes_a_row_and_points_of_the_curves(tmp_path):
  epochs = [epoch(4, 0.9, 0.5), epoch(8, 0.7, 0.25)]
  log = EpochLog(str(tmp_path), step=0, last_row=0)
  for metrics in epochs:
    log.add(metrics)
  log.add_scalars(8, {'learning_rate': 0.5})
  log.close()
  assert read_history(str(tmp_path)) == epochs
  assert curves(tmp_path / 'validation') == {
    *(('loss', 4, 0.9), ('accuracy', 4, 0.5)),
    *(('loss', 8, 0.7), ('accuracy', 8, 0.25)),
  }
  assert curves(tmp_path) == {
    *(('best/loss', 4, 0.9), ('best/accuracy', 4, 0.5)),
    *(('best/loss', 8, 0.7), ('best/accuracy', 8, 0.5)),
    ('learning_rate', 8, 0.5),
  }


def test_metrics_of_equal_classes_are_curves_of_validation(tmp_path):
  log = EpochLog(str(tmp_path), step=0, last_row=0)
  log.add(epoch(4, 0.9, 0.5)._replace(validation_balanced_accuracy=0.25, validation_macro_f1=0.125))
  log.close()
  drawn = curves(tmp_path / 'validation')
  assert {('balanced_accuracy', 4, 0.25), ('macro_f1', 4, 0.125)} <= drawn


def test_a_resumed_run_repeats_the_rows_after_its_checkpoint(tmp_path):
  log = EpochLog(str(tmp_path), step=0, last_row=0)
  for step in (4, 8):
    log.add(epoch(step, None, None))
  log.close()
  log = EpochLog(str(tmp_path), step=4, last_row=4)
  log.add(epoch(8, 0.1, 1.0))
  log.close()
  assert [row.validation_loss for row in read_history(str(tmp_path))] == [None, 0.1]
