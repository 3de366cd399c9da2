"""User errors and help; import_weights_test runs a complete export."""

import pytest

from tests.commands.import_weights_test import run


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ([], 'Give --checkpoint_path and --output; see --help.'),
    (
      ['--checkpoint_path=c', '--output=m.h5'],
      '--output=m.h5 must end in .weights.h5, .keras, .safetensors, .pth, .ckpt or .npz.',
    ),
  ],
)
def test_user_errors_are_one_line(tmp_path, arguments, message):
  code, out, err = run(tmp_path, 'vgg_slim.commands.export_weights', *arguments)
  assert (code, out) == (2, '')
  assert err == f'export_weights: error: {message}\n'


def test_help_shows_examples(tmp_path):
  code, out, _ = run(tmp_path, 'vgg_slim.commands.export_weights', '--help')
  assert code == 0
  assert 'tools/export_weights --checkpoint_path=' in out
