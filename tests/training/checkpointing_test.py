from tests.testing import graph_session, train_config
from tests.training.graph_test import a_manifest
from vgg_slim.compat import tf
from vgg_slim.training.checkpointing import Checkpointer


def test_the_newest_are_kept_with_their_contracts_across_processes(tmp_path):
  config = train_config('data', a_manifest(), keep_checkpoints=2)
  for steps in ((1, 2), (3,)):
    with graph_session() as session:
      tf.train.get_or_create_global_step()
      session.run(tf.global_variables_initializer())
      checkpointer = Checkpointer(config, str(tmp_path))
      prefixes = [checkpointer.save(session, step) for step in steps]
  assert prefixes == [str(tmp_path / 'model.ckpt-3')]
  for ending in ('index', 'json'):
    kept = {path.name for path in tmp_path.glob(f'model.ckpt-*.{ending}')}
    assert kept == {f'model.ckpt-2.{ending}', f'model.ckpt-3.{ending}'}
