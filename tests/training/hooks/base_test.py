from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.training.hooks.base import Hook, Step
from vgg_slim.training.hooks.host_state import HostState


def test_state_is_written_before_a_checkpoint_and_read_at_the_start():
  class Counter(Hook):
    def __init__(self):
      self.state = HostState('counter', steps=0)

    def after_step(self, step, fetched):
      self.state.update(steps=self.state['steps'] + 1)

  with graph_session() as session:
    hook = Counter()
    session.run(tf.global_variables_initializer())
    hook.begin(session, 0)
    hook.after_step(Step(1, {}), hook.fetches(1))
    hook.begin(session, 0)
    assert hook.state['steps'] == 0  # nothing has been saved
    hook.after_step(Step(1, {}), hook.fetches(1))
    hook.before_save(session)
    hook.begin(session, 1)
    assert hook.state['steps'] == 1


def test_the_base_class_does_nothing():
  with graph_session() as session:
    hook = Hook()
    hook.begin(session, 0)
    hook.before_save(session)
    hook.after_step(Step(1, {}), hook.fetches(1))
    hook.close()
    assert hook.stop_reason is None
