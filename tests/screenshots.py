"""Takes the pages' pictures of TensorBoard anew: `make screenshots LOGDIR=runs/digits_vgg16`.

The run wants --histogram_every_steps. A relative LOGDIR keeps your folders out of the pictures;
look at them before you commit.
"""

import pathlib
import sys

from tests import browser

FOLDER = pathlib.Path(__file__).parents[1] / 'docs/images'
# Page, texts to wait for, pictures to wait for.
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
    for name, (page, expected, pictures) in PAGES.items():
      browser.show(driver, address, page, expected, pictures)
      driver.save_screenshot(str(FOLDER / f'{name}.png'))
      print(FOLDER / f'{name}.png')


if __name__ == '__main__':
  if len(sys.argv) != 2:
    sys.exit(__doc__)
  main(sys.argv[1])
