"""The reference's files, which the tests of this folder share."""

import pytest

from benchmarks.gpu_check import reference, settings
from benchmarks.gpu_check.settings import Check

TINY = settings.Size('vgg_a@2', 'resnet18@2', 32, 8, 4, 2, 1)


@pytest.fixture(scope='session')
def check(tmp_path_factory):
  """A check of tiny networks whose reference is complete."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(settings.SIZES, 'tiny', TINY)
    made = Check('tiny', tmp_path_factory.mktemp('gpu_check'))
    reference.make_reference(made)
    yield made
