import pathlib

import h5py
import numpy as np
import pytest

from tests.faults import states
from tests.testing import graph_session
from vgg_slim.compat import tf


def write_checkpoint(path, value):
  with graph_session() as session:
    tf.get_variable('weights', initializer=value)
    session.run(tf.global_variables_initializer())
    prefix = str(path).removesuffix('.index')
    tf.train.Saver().save(session, prefix, write_meta_graph=False, write_state=False)


def write_arrays(path, value):
  with h5py.File(path, 'w') as file:
    file['layer/weights'] = np.float32(value)


def write_metrics(path, value):
  path.write_text(
    f'step,train_loss,images_per_second\n1,{value},{np.random.default_rng().random()}'
  )


def write_report(path, value):
  path.write_text(f'<td>{value}</td><td>{np.random.default_rng().random()}</td></tr>')


WRITERS = {
  'w.index': write_checkpoint,
  'w.h5': write_arrays,
  'metrics.csv': write_metrics,
  'r.report': write_report,
  'other': lambda path, value: path.write_text(str(value)),
}


@pytest.mark.parametrize('name', WRITERS)
def test_other_numbers_are_another_state(tmp_path, name):
  folders = [tmp_path / folder / 'deep' for folder in ('one', 'same', 'other')]
  for folder, value in zip(folders, (1.0, 1.0, 1.0000001), strict=True):
    folder.mkdir(parents=True)
    WRITERS[name](folder / name, value)
  one, same, other = (folder.parent for folder in folders)
  states.check_same(one, same)
  states.check_same(one / 'deep' / name, same / 'deep' / name)
  with pytest.raises(AssertionError):
    states.check_same(one, other)


def test_other_names_are_another_state_but_for_files_of_every_process(tmp_path):
  one, other = tmp_path / 'one', tmp_path / 'other'
  for folder in (one, other):
    folder.mkdir()
    (folder / f'events.{folder.name}').touch()
  (other / 'tmp').mkdir()
  (other / 'tmp/__autograph_generated_file1.py').touch()
  states.check_same(one, other)
  for litter in ('.x.tmp', 'empty/', 'tmp/x'):
    path = pathlib.Path(other, litter)
    path.mkdir() if litter.endswith('/') else path.touch()
    with pytest.raises(AssertionError, match=path.name):
      states.check_same(one, other)
    path.rmdir() if litter.endswith('/') else path.unlink()
