"""The usual TFLite script, which docs/how-to/export.md shows, run in its own process."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from tests.export.fabricated import make_checkpoint
from vgg_slim.evaluation import image_predictor, predictor
from vgg_slim.export import exporter

PAGE = pathlib.Path(__file__).parents[2] / 'docs/how-to/export.md'
SHOW = '\nprint(json.dumps([label, scores.tolist(), outputs[0]["quantization"]]))'
NAMES = tuple('abcdefgh')


def script():
  (block,) = [
    text
    for text in re.findall(r'^```python\n(.*?)^```$', PAGE.read_text(), re.MULTILINE | re.DOTALL)
    if 'Interpreter' in text
  ]
  return block + SHOW


@pytest.mark.parametrize(
  ('side', 'model'),
  [
    (32, 'vgg_a_bn@32'),  # 256 channels in its 3x3 layers
    (64, 'vgg_a@8'),
    (224, 'vgg_a_bn@4'),
  ],
)
def test_it_predicts_like_the_checkpoint(tmp_path, side, model):
  prefix, contract = make_checkpoint(
    tmp_path, model=model, image_size=side, num_classes=8, class_names=NAMES, test_scale=side
  )
  images = tmp_path / 'images'
  images.mkdir()
  for i in range(8):
    make_image(i).save(images / f'{i}.png')
  with predictor.CheckpointPredictor(
    prefix, contract, image_predictor.View(central_crop=True)
  ) as network:
    (expected,) = network.probabilities([network.prepare((images / '0.png').read_bytes())])
  for kind, atol in (('tflite', 1e-2), ('tflite_dynamic', 0.15), ('tflite_int8', 0.15)):
    folder = tmp_path / kind
    folder.joinpath('exports').mkdir(parents=True)
    representative = str(images) if kind == 'tflite_int8' else None
    exporter.run_export(
      exporter.ExportRequest(
        prefix, kind, str(folder / 'exports/phone'), str(images), representative_dir=representative
      ),
      str,
    )
    make_image(0).save(folder / 'cat.jpg', 'PNG')  # as if decoded from a JPEG file
    label, scores, (scale, zero_point) = run_script(folder)
    probabilities = (np.array(scores) - zero_point) * scale if scale else np.array(scores)
    # Pillow rounds resized pixels to integers; quantized layers have eight bits.
    np.testing.assert_allclose(probabilities, expected, atol=atol)
    assert label == NAMES[int(np.argmax(scores))]


def make_image(seed):
  """Smooth colors, so that the exact resize filter hardly matters."""
  small = np.random.default_rng(seed).integers(0, 256, [3, 4, 3], np.uint8)
  return PIL.Image.fromarray(small).resize([320, 260], PIL.Image.Resampling.BICUBIC)


def run_script(folder):
  done = subprocess.run(
    [sys.executable, '-c', script()],
    cwd=folder,
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  first, last = done.stdout.strip().splitlines()
  assert first in NAMES
  return json.loads(last)
