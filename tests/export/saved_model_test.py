import numpy as np

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint, random_images
from tests.export.serving_graph_test import png
from vgg_slim.export import reload, saved_model


def test_every_signature_gives_the_same_outputs(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  saved_model.write(prefix, contract, tmp_path / 'export')
  run = reload.load_saved_model(tmp_path / 'export')
  images = random_images(2, contract.preprocessing.test_scale, 64)
  expected = expected_outputs(prefix, contract, images)
  files = np.array([png(image) for image in images], object)
  for batch in (images, images.astype(np.float32)):
    check_outputs(run(batch), expected)
  del expected['class_score_map']
  check_outputs(run(files), expected)
