"""Takes the screenshots of TensorBoard again: `make screenshots LOGDIR=runs/digits`.

The run needs --histogram_every_steps. Give a relative LOGDIR, since TensorBoard shows it, and look
at the screenshots before you commit them.
"""

import pathlib
import sys

from tests import browser

FOLDER = pathlib.Path(__file__).parents[1] / 'docs/images'
# Page, texts to wait for, number of images to wait for.
PAGES = {
  'tensorboard_scalars': ('timeseries', ['accuracy', 'loss'], 0),
  'tensorboard_images': ('images', ['samples', 'confusion'], 2),
  'tensorboard_graph': ('graphs', ['dropout_seed'], 0),
  'tensorboard_histograms': ('histograms', ['weights'], 0),
}


def main(logdir: str) -> None:
  if browser.missing():
    sys.exit(f'not installed: {", ".join(browser.missing())}')
  with browser.serve_tensorboard(logdir) as address, browser.open_browser() as driver:
    for name, (page, expected, num_images) in PAGES.items():
      browser.show(driver, address, page, expected, num_images)
      driver.save_screenshot(str(FOLDER / f'{name}.png'))
      print(FOLDER / f'{name}.png')


if __name__ == '__main__':
  if len(sys.argv) != 2:
    sys.exit(__doc__)
  main(sys.argv[1])
