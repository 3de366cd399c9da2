import numpy as np
import pytest

from tests.export.fabricated import pictures
from vgg_slim.compat import tf
from vgg_slim.errors import VggSlimError
from vgg_slim.export import frozen, reload


def test_a_fresh_process_runs_every_batch(tmp_path):
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.float32, [None, None, None, 3], 'images')
    tf.reduce_mean(images, [1, 2], name='logits')
    (tmp_path / frozen.FILE).write_bytes(graph.as_graph_def().SerializeToString())
  batches = [pictures(1, 2, 3).astype('f'), pictures(2, 4, 4).astype('f')]
  got = reload.run_in_fresh_process(reload.load_frozen, tmp_path, batches)
  for outputs, batch in zip(got, batches, strict=True):
    np.testing.assert_allclose(outputs['logits'], batch.mean((1, 2)), rtol=1e-6)


def test_what_cannot_be_loaded_is_one_sentence(tmp_path):
  (tmp_path / frozen.FILE).write_bytes(b'not a graph')
  with pytest.raises(VggSlimError, match='The export does not run when it is loaded again: .*pars'):
    reload.run_in_fresh_process(reload.load_frozen, tmp_path, [])
