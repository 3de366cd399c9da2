"""Which views of a picture are scored: geometry in pixels, no TensorFlow."""


def multi_scale(train_scale_min: int, train_scale_max: int) -> tuple[int, int, int]:
  """The paper's three test scales Q for a training scale S (arXiv:1409.1556, 4.2).

  {S - 32, S, S + 32} for a fixed S = 256, here S - S/8, S, S + S/8 so that it fits other sides too;
  {S_min, middle, S_max} for S drawn from a range.
  """
  if train_scale_min == train_scale_max:
    step = train_scale_min // 8
    return train_scale_min - step, train_scale_min, train_scale_min + step
  return train_scale_min, (train_scale_min + train_scale_max) // 2, train_scale_max
