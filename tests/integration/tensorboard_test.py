"""What TensorBoard shows of a run, checked in a headless Chromium."""

import pytest

from tests import browser
from tests.testing import make_data_set, own_flags, run_tool
from vgg_slim.commands import train

pytestmark = [
  pytest.mark.timeout(1800),
  pytest.mark.skipif(
    bool(browser.missing()), reason=f'not installed: {", ".join(browser.missing())}'
  ),
]


@pytest.fixture(scope='module')
def address(tmp_path_factory):
  folder = tmp_path_factory.mktemp('board')
  data_dir, _ = make_data_set(folder / 'data', per_class=8)
  code = run_tool(
    train,
    *('--model=vgg_a@8', f'--data_dir={data_dir}', f'--train_dir={folder}/runs/thin'),
    *('--image_size=32', '--fc_units=8', '--batch_size=4', '--max_steps=4', '--alarm_steps=0'),
    *('--log_every_steps=1', '--histogram_every_steps=2', '--image_summary_every_steps=2'),
  )
  assert not code
  with own_flags():
    from vgg_slim.commands import evaluate

    run = f'{folder}/runs/thin'
    assert not run_tool(evaluate, f'--train_dir={run}', f'--tensorboard={run}/evaluation')
  with browser.serve_tensorboard(folder / 'runs') as served:
    yield served


@pytest.fixture(scope='module')
def driver():
  with browser.open_browser() as opened:
    yield opened


def severe(driver):
  return [entry['message'] for entry in driver.get_log('browser') if entry['level'] == 'SEVERE']


@pytest.mark.parametrize(
  ('page', 'expected', 'num_images'),
  [
    ('timeseries', ['loss', 'learning_rate', 'accuracy', 'thin', 'thin/validation'], 0),
    ('images', ['samples', 'confusion'], 2),
    ('graphs', ['vgg_a', 'dropout_seed'], 0),
    ('histograms', ['weights', 'gradients', 'activations'], 0),
    ('hparams', ['batch_size', 'thin'], 0),
    ('projector', ['fc7', 'labels.tsv'], 0),
  ],
)
def test_a_page_shows_the_run_without_errors(driver, address, page, expected, num_images):
  severe(driver)  # discards errors of the previous page
  browser.show(driver, address, page, expected, num_images)
  assert severe(driver) == []
