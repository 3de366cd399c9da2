import io

import numpy as np
import PIL.Image
import pytest

from vgg_slim import tensorboard
from vgg_slim.compat import tf
from vgg_slim.plotting import samples


def test_a_figure_value_is_a_png_of_the_stated_size():
  tile = np.full([4, 4, 3], (200, 30, 60), np.uint8)
  value = tensorboard.figure_value('tag', samples.draw_samples([tile], ['a']))
  image = PIL.Image.open(io.BytesIO(value.image.encoded_image_string))
  assert (value.tag, image.format) == ('tag', 'PNG')
  assert image.size == (value.image.width, value.image.height)
  assert (np.asarray(image.convert('RGB')) == tile[0, 0]).all(-1).any()


@pytest.mark.parametrize('step', [None, 3])
def test_an_event_file_discards_values_from_its_step_on(tmp_path, step):
  folder = tmp_path / 'new' / 'run'
  with tensorboard.open_events(str(folder), step) as writer:
    writer.add_summary(tensorboard.scalars({'a': 0.5}), 4)
  (path,) = folder.iterdir()
  events = list(tf.train.summary_iterator(str(path)))[1:]  # the first event is the file version
  starts = [event.step for event in events if event.session_log.status == tf.SessionLog.START]
  assert starts == ([] if step is None else [3])
  assert events[-1].summary.value[0].tag == 'a'


def test_scalars_are_stored_by_tag():
  stored = {v.tag: v.simple_value for v in tensorboard.scalars({'a': 0.5, 'b/c': 2.0}).value}
  assert stored == {'a': 0.5, 'b/c': 2.0}


@pytest.mark.parametrize('call', ['add_event', 'flush', 'close'])
def test_a_full_disk_is_an_error_of_the_event_file(tmp_path, monkeypatch, call):
  writer = tensorboard.open_events(str(tmp_path))
  path = f'{tmp_path}/events.out.tfevents.1.vm'
  raised = [
    RuntimeError(f'{path}; No space left on device\n\tFailed to flush 4 events to {path}'),
    IndexError(f'{path}; File too large'),
    TypeError('no event; a text'),
  ]

  def fail(*arguments):
    raise raised[0]

  with monkeypatch.context() as patch:
    patch.setattr(tf.summary.FileWriter, call, fail)
    for reason in ('No space left on device', 'File too large'):
      with pytest.raises(OSError, match=reason) as caught:
        getattr(writer, call)(*[tf.Event()] * (call == 'add_event'))
      assert (caught.value.filename, caught.value.strerror) == (path, reason)
      del raised[0]
    with pytest.raises(TypeError, match='no event'):
      getattr(writer, call)(*[tf.Event()] * (call == 'add_event'))
  writer.close()
