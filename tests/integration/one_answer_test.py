"""Predicting original files gives the same scores as converting and evaluating them.

Runs whole commands, each in its own process.
"""

import csv
import io
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.preprocessing.graph_test import photo
from vgg_slim import sessions

ROOT = pathlib.Path(__file__).parents[2]


def exif_with(orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  return exif


def write_images(folder):
  """Writes two classes of images of all kinds that the converter accepts, mostly of odd sides."""
  for label, shift in (('a', 0), ('b', 120)):
    (folder / label).mkdir(parents=True)
    for number in range(4):
      pixels = np.roll(photo(61 + 8 * number, 83 - 9 * number), shift, axis=2) ^ np.uint8(shift)
      image = Image.fromarray(pixels)
      transparent = image.copy()
      transparent.putalpha(Image.fromarray(pixels[..., 1]))
      deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 250)
      kinds = {
        'rgb.jpg': (image, {'quality': 90}),
        'rotated.jpg': (image, {'exif': exif_with(6)}),
        'cmyk.jpg': (image.convert('CMYK'), {}),
        'gray.jpg': (image.convert('L'), {}),
        'alpha.png': (transparent, {}),
        'palette.png': (image.quantize(30), {}),
        'deep.png': (deep, {}),
        'x.gif': (image.quantize(30), {}),
        'x.webp': (image, {'lossless': True}),
      }
      for name, (one, options) in kinds.items():
        one.save(folder / label / f'{number}_{name}', **options)


def run(folder, tool, *arguments):
  command = [sys.executable, '-m', f'vgg_slim.commands.{tool}', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
  done = subprocess.run(
    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
  )
  assert done.returncode == 0, done.stderr
  return done


def read_rows(path):
  rows = csv.DictReader(io.StringIO(path.read_text()))
  return {'/'.join(row['file'].split('/')[-2:]): row for row in rows}


@pytest.mark.parametrize('reduce', [(), ('--resize_smaller_side=40',)])
def test_evaluate_and_predict_agree_for_every_file(tmp_path, reduce):
  write_images(tmp_path / 'photos')
  run(
    tmp_path,
    'convert_to_tfrecord',
    *('--dataset=folder', '--input_dir=photos', '--output_dir=data', '--validation_fraction=0.5'),
    '--noduplicates_together',  # palette.png and x.gif have equal pixels
    *reduce,
  )
  run(
    tmp_path,
    'train',
    *('--data_dir=data', '--train_dir=run', '--model=vgg_a@4', '--head=linear', '--max_steps=4'),
    *('--image_size=32', '--train_scale_min=34', '--train_scale_max=38', '--batch_size=8'),
    *('--learning_rate=0.01', '--initializer=he', '--pixel_scale=0.02'),
  )
  found = {}
  for precision in ('float32', 'bfloat16'):
    flag = f'--precision={precision}'
    evaluate = run(tmp_path, 'evaluate', '--train_dir=run', '--noflip', '--csv=evaluated.csv', flag)
    predict = run(tmp_path, 'predict', '--train_dir=run', 'photos', '--output=predicted.csv', flag)
    assert f'36 images, {precision}: run/model.ckpt-4' in evaluate.stdout
    if precision == 'bfloat16' and sessions.computed_precision(precision) == 'float32':
      for done in (evaluate, predict):
        assert (
          'this processor has no bfloat16 instructions; everything is computed in' in done.stderr
        )
    evaluated, predicted = (
      read_rows(tmp_path / f'{name}.csv') for name in ('evaluated', 'predicted')
    )
    assert len(evaluated) == 36
    assert len(predicted) == 72
    assert {row['precision'] for row in evaluated.values()} == {precision}
    expected = np.array([float(row['probability_1']) for row in evaluated.values()])
    got = np.array([float(predicted[file]['probability_1']) for file in evaluated])
    assert np.ptp(expected) > 0.02  # so that wrong pixels would be noticed
    # The CSV file of evaluate has six decimals; sums in batches of other sizes have another order.
    computed = sessions.computed_precision(precision)
    np.testing.assert_allclose(got, expected, atol=1e-5 if computed == 'float32' else 1e-2)
    if computed == 'float32':  # a sum that is rounded to bfloat16 may fall on either side
      for file, row in evaluated.items():
        assert predicted[file]['class_1'] == row['class_1'], file
    found[precision] = got
  assert np.abs(found['bfloat16'] - found['float32']).max() > 1e-5
