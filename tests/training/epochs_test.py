from vgg_slim.training.epochs import Epochs


def test_batches_cross_the_ends_of_epochs():
  epochs = Epochs(num_examples=18, batch_size=4)  # 4.5 steps per epoch
  assert [step for step in range(20) if epochs.ends(step)] == [5, 9, 14, 18]
  assert epochs.passed(9) == 2


def test_a_batch_may_be_larger_than_the_split():
  assert all(Epochs(3, 10).ends(step) for step in range(1, 5))


def test_several_passes_may_lie_between_two_validations():
  epochs = Epochs(num_examples=18, batch_size=4, every=2)
  assert [step for step in range(30) if epochs.ends(step)] == [9, 18, 27]
  assert (epochs.ends_between(9, 27), epochs.ends_between(9, 26), epochs.passed(9)) == (2, 1, 2)
  assert [step for step in range(9) if Epochs(3, 10, every=10).ends(step)] == [3, 6]
