import pytest

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint, pictures
from vgg_slim.export import reload, tflite


@pytest.mark.parametrize('model', ['vgg_a@4', 'resnet50@4'])
def test_both_kinds_at_several_sizes(tmp_path, model):
  prefix, contract = make_checkpoint(tmp_path, model=model)
  sizes = []
  # Eight bits for weights and activations: a few hundredths of the largest score.
  for write, rtol in ((tflite.write, 1e-5), (tflite.write_int8, 0.1)):
    write(prefix, contract, tmp_path)
    sizes.append((tmp_path / tflite.FILE).stat().st_size)
    run = reload.load_tflite(tmp_path)
    for images in (pictures(1, 40, 64), pictures(2, 64, 64)):
      got = run(images.astype('f'))
      expected = expected_outputs(prefix, contract, images)
      for name in ('probabilities', 'classes') if rtol > 1e-3 else ():
        del got[name], expected[name]
      check_outputs(got, expected, rtol)
  assert sizes[1] < sizes[0] / 2
  assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []
