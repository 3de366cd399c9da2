"""Data as people have it: through the converter, training's input, prediction and the SavedModel.

The layouts are converted, one by one, with the command. The odd files are one more data set. The
shards of all of them pass through one training input, and all folders through one prediction.
"""

import collections
import csv
import io
import json
import os
import pathlib
import re
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests import testing
from tests.data import fabricated
from tests.joins import data_page, layouts
from tests.joins.layout_rows import ROWS
from tests.joins.odd_files import ODD_FILES
from vgg_slim.checkpoints import contract
from vgg_slim.compat import tf
from vgg_slim.configs import config
from vgg_slim.data import example_proto
from vgg_slim.data import manifest as manifests
from vgg_slim.data.input import pipeline
from vgg_slim.evaluation import predictor
from vgg_slim.export import exporter
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import host

pytestmark = [
  pytest.mark.timeout(600),
  # What Pillow says of the EXIF data of some of these files.
  pytest.mark.filterwarnings('ignore:Corrupt EXIF data:UserWarning'),
]
SIDE = layouts.SIDE
MODEL, NUM_CLASSES = 'vgg_a@4', 3


class Result(NamedTuple):
  """What the converter made of a data set.

  Attributes:
    input_dir: value of --input_dir.
    data_dir: folder of the converted data set.
    text: output of the command.
    counts: number of images by split and class; None after an error.
  """

  input_dir: pathlib.Path
  data_dir: pathlib.Path
  text: str
  counts: dict[str, dict[str, int]] | None


class Record(NamedTuple):
  """One image of a converted data set; `pixels` is uint8 [H, W, 3]."""

  name: str
  label: int
  class_name: str
  encoded: bytes
  pixels: np.ndarray


def convert(input_dir, data_dir, *flags):
  """Runs the command in this process."""
  text = io.StringIO()
  with pytest.MonkeyPatch.context() as patched:
    patched.setattr('sys.stdout', text)
    patched.setattr('sys.stderr', text)
    code = testing.run_command(
      'convert_to_tfrecord',
      *(f'--input_dir={input_dir}', f'--output_dir={data_dir}', '--num_workers=1', *flags),
    )
  return Result(input_dir, data_dir, text.getvalue(), None if code else count(data_dir))


def count(data_dir):
  manifest = manifests.read_manifest(data_dir)
  return {
    name: dict(zip(manifest.class_names, split.examples_per_class, strict=True))
    for name, split in manifest.splits.items()
  }


@pytest.fixture(scope='module')
def results(tmp_path_factory):
  """Converts every layout; in the order of ROWS."""
  root = tmp_path_factory.mktemp('layouts')
  results = []
  for number, row in enumerate(ROWS):
    folder = root / 'inputs' / str(number)
    folder.mkdir(parents=True)
    flags = [flag.format(root=folder) for flag in row.flags]
    data_dir = root / 'data' / str(number)
    results.append(convert(row.make(folder), data_dir, f'--dataset={row.dataset}', *flags))
  return results


@pytest.fixture(scope='module')
def odd(tmp_path_factory):
  """Converts a folder of the odd files; half of each kind of outcome are in each class."""
  root = tmp_path_factory.mktemp('odd')
  photos = fabricated.write_image_folder(root / 'photos', {'a': 2, 'b': 2})
  for number, (name, (content, _)) in enumerate(ODD_FILES.items()):
    path = photos / 'ab'[number % 2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
  return convert(photos, root / 'data', '--dataset=folder', '--validation_fraction=0')


def shard_paths(result):
  manifest = manifests.read_manifest(result.data_dir)
  return [
    p for split in manifest.splits for p in manifests.shard_paths(result.data_dir, manifest, split)
  ]


def read_records(paths):
  for path in paths:
    for record in tf.io.tf_record_iterator(path):
      features = tf.train.Example.FromString(record).features.feature
      name, class_name, encoded = (
        features[key].bytes_list.value[0]
        for key in (example_proto.FILENAME, example_proto.TEXT, example_proto.ENCODED)
      )
      label = features[example_proto.LABEL].int64_list.value[0]
      pixels = np.asarray(Image.open(io.BytesIO(encoded)).convert('RGB'))
      yield Record(name.decode(), label, class_name.decode(), encoded, pixels)


def looks_like(pixels):
  """The class in whose color an image is drawn, see `layouts`."""
  red, _, blue = pixels.reshape(-1, 3).mean(0)
  if abs(red - blue) > 50:
    return 'cat' if red > blue else 'dog'
  return 'cat' if red < 130 else 'dog'


def merged(counts):
  """Counts of images, with those drawn for validation added to the training split."""
  train = collections.Counter(counts['train'])
  train.update(counts.get('validation', {}))
  return {'train': dict(train)} | {name: n for name, n in counts.items() if name == 'test'}


@pytest.mark.parametrize('number', range(len(ROWS)), ids=[row.about for row in ROWS])
def test_conversion_of_a_layout(results, number):
  row, result = ROWS[number], results[number]
  if isinstance(row.outcome, str):
    assert result.counts is None, result.text
    assert re.search(row.outcome, result.text), result.text
    return
  assert result.counts is not None, result.text
  counts = result.counts if 'validation' in row.outcome else merged(result.counts)
  assert counts == row.outcome
  assert list(counts['train']) == list(row.outcome['train'])  # in the order of the labels
  assert re.search(row.says, result.text), result.text


def test_labels_are_those_of_the_images(results):
  for row, result in zip(ROWS, results, strict=True):
    if result.counts is None:
      continue
    seen = {(r.class_name, looks_like(r.pixels)) for r in read_records(shard_paths(result))}
    assert len(seen) == len({name for name, _ in seen}) == len({look for _, look in seen}), row
    assert all(look in name or name.isdecimal() for name, look in seen), row


def test_training_gets_the_images_with_their_labels(results, odd):
  """All shards of all data sets are read as one training split."""
  paths = [p for result in (*results, odd) if result.counts for p in shard_paths(result)]
  records = list(read_records(paths))
  num_bytes = sum(map(os.path.getsize, paths))
  preprocessing = config.PreprocessingConfig(
    (0.0, 0.0, 0.0), 1.0, train_scale_min=SIDE, train_scale_max=SIDE, random_flip=False
  )
  with testing.graph_session() as session:
    batch = pipeline.build_train_batch(
      paths, len(records), num_bytes, preprocessing, SIDE, len(records), seed=3
    )
    order = tf.random.experimental.stateless_shuffle(tf.range(len(records)), [3, 0])
    session.run(batch.initializer)
    views, labels, indices, order = session.run([batch.images, batch.labels, batch.indices, order])
  assert indices.tolist() == list(range(len(records)))
  shown = [records[row] for row in order]
  assert labels.tolist() == [record.label for record in shown]
  wrong = [r.name for view, r in zip(views, shown, strict=True) if not is_crop(view, r.pixels)]
  assert not wrong


def is_crop(view, pixels):
  """Whether a view is a square of the image after it is resized."""
  if max(pixels.shape[:2]) > 10 * min(pixels.shape[:2]):
    return True  # too long a strip to try every square
  resized = host.resize_smaller_side(pixels, SIDE, 'antialiased_bilinear')
  height, width = resized.shape[:2]
  squares = (
    resized[y : y + SIDE, x : x + SIDE]
    for y in range(height - SIDE + 1)
    for x in range(width - SIDE + 1)
  )
  # Resampling positions are float32; a different pixel would differ by far more.
  return min(np.abs(view - square).max() for square in squares) < 0.05


@pytest.fixture(scope='module')
def network(tmp_path_factory):
  """Prefix of the checkpoint of a thin network with random weights, and its SavedModel."""
  folder = tmp_path_factory.mktemp('network')
  prefix, exported = str(folder / 'net'), str(folder / 'exported')
  with testing.graph_session() as session:
    registry.build(MODEL, tf.zeros([1, SIDE, SIDE, 3]), NUM_CLASSES, Inference(), SIDE, fc_units=8)
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    values = testing.random_values(shapes, scale=1.0)
    # Keeps activations near 1 in every layer, so that the answers differ between images.
    testing.assign(
      session, {n: v * np.sqrt(2 / max(1, np.prod(v.shape[:-1]))) for n, v in values.items()}
    )
    tf.train.Saver().save(session, prefix, write_meta_graph=False)
  made_for = testing.make_contract(
    MODEL, NUM_CLASSES, SIDE, 8, class_names=('a', 'b', 'c'), test_scale=SIDE, pixel_scale=1 / 64
  )
  contract.write_contract(contract.contract_path(prefix), made_for)
  exporter.run_export(
    exporter.ExportRequest(prefix, 'saved_model', exported), say=lambda line: None
  )
  return prefix, exported


def folder_results(results):
  """Rows and results of the folders that were converted."""
  return [
    (row, result)
    for row, result in zip(ROWS, results, strict=True)
    if row.dataset == 'folder' and result.counts
  ]


@pytest.fixture(scope='module')
def answers(network, results, odd, tmp_path_factory):
  """Answers of predict for all folders at once, from the checkpoint and from the SavedModel."""
  folders = [result.input_dir for _, result in folder_results(results)]
  answers = []
  # Without a precision, a processor with bfloat16 uses it for so many images.
  checkpoint = (f'--checkpoint_path={network[0]}', '--precision=float32')
  for flags in (checkpoint, (f'--saved_model={network[1]}',)):
    output = tmp_path_factory.mktemp('answers') / 'answers.json'
    testing.run_command(
      'predict',
      *map(str, (*folders, odd.input_dir)),
      *flags,
      f'--output={output}',
      '--top=3',
      '--quiet',
    )
    written = json.loads(output.read_text(encoding='utf-8'))
    scores = {}
    for prediction in written['predictions']:
      by_class = {c['class_id']: c['probability'] for c in prediction['classes']}
      scores[prediction['file']] = [by_class[class_id] for class_id in range(NUM_CLASSES)]
    answers.append((scores, written['failed']))
  return answers


def test_prediction_takes_what_the_converter_takes(results, odd, answers):
  names = [*answers[0][0], *answers[0][1]]
  assert len(names) == len(set(names))
  expected = [(result, row.around, row.only_predicted) for row, result in folder_results(results)]
  for result, around, extra in [*expected, (odd, '', 0)]:
    root = f'{result.input_dir}/{around}'
    predicted = {stored_name(name.removeprefix(root)) for name in names if name.startswith(root)}
    converted = {record.name for record in read_records(shard_paths(result))}
    converted |= {stored_name(name) for name in left_out(result)}
    assert converted <= predicted, result.input_dir
    assert len(predicted - converted) == extra, predicted - converted


def left_out(result):
  path = result.data_dir / 'quarantine.csv'
  if not path.exists():
    return []
  with path.open(encoding='utf-8', newline='') as stream:
    return [row[0] for row in list(csv.reader(stream))[1:]]


def stored_name(name):
  """Names in records are UTF-8; other bytes of a file name are written as escapes."""
  return name.encode('utf-8', 'backslashreplace').decode()


def test_answers_are_those_of_the_converted_images(network, results, odd, answers):
  scores, _ = answers[0]
  by_name = {f'{odd.input_dir}/{r.name}': r.pixels for r in read_records(shard_paths(odd))}
  by_name = {name: pixels for name, pixels in by_name.items() if max(pixels.shape) < 1000}
  prefix, made_for = contract.load_contract(network[0])
  with predictor.CheckpointPredictor(prefix, made_for) as plain:
    resized = [host.resize_smaller_side(p, SIDE, 'antialiased_bilinear') for p in by_name.values()]
    expected = plain.probabilities(resized)
  got = np.array([{stored_name(name): s for name, s in scores.items()}[name] for name in by_name])
  # Single pixels of a JPEG file differ by a level of 255 between Pillow and TensorFlow; the images
  # differ by far more.
  spread = np.ptp(expected, axis=0).max()
  assert spread > 0.01
  assert np.abs(got - expected).max() < spread / 20


def test_the_saved_model_answers_alike(answers):
  (scores, failed), (exported_scores, exported_failed) = answers
  assert exported_failed == failed
  assert list(exported_scores) == list(scores)
  np.testing.assert_allclose(list(exported_scores.values()), list(scores.values()), atol=1e-5)


def test_the_page_has_the_rows():
  page = data_page.PAGE.read_text(encoding='utf-8')
  assert page == data_page.render(), 'run python -m tests.joins.data_page'
  assert len(ROWS) >= 40
  assert len(ODD_FILES) >= 60
