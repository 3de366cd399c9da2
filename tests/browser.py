"""TensorBoard in a headless Chromium, for tests and for the screenshots in the documentation."""

import contextlib
import re
import shutil
import subprocess
import sys
import time

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.support.wait import WebDriverWait

from tests.testing import started

PROGRAMS = ('chromium', 'chromedriver')
_TIMEOUT = 60  # seconds; a page takes two or three on an idle machine
_RELOAD_AFTER = 15  # seconds; TensorBoard shows a page only once it has read a file for it

# TensorBoard's pages are web components: text and images are in shadow trees, which CSS selectors
# do not reach.
_ALL_ELEMENTS = """
const found = [];
const visit = node => {
  found.push(node);
  if (node.shadowRoot) visit(node.shadowRoot);
  if (node.contentDocument?.body) visit(node.contentDocument.body);  // the projector's frame
  node.childNodes.forEach(visit);
};
visit(document.body);
"""
_TEXT = f"""{_ALL_ELEMENTS}
const hidden = new Set(['SCRIPT', 'STYLE', 'TEMPLATE']);
return found.filter(n => n.nodeType === Node.TEXT_NODE && !hidden.has(n.parentNode.nodeName))
  .map(n => n.textContent.trim()).filter(text => text).join('\\n');
"""
_NUM_IMAGES = f"""{_ALL_ELEMENTS}
return found.filter(n => n.nodeName === 'IMG' && n.complete && n.naturalWidth > 0).length;
"""


def missing():
  """Returns the programs that are not installed."""
  return [name for name in PROGRAMS if not shutil.which(name)]


@contextlib.contextmanager
def serve_tensorboard(logdir):
  """Runs TensorBoard in its own process on a free port; yields its address."""
  command = [sys.executable, '-m', 'tensorboard.main', f'--logdir={logdir}', '--port=0']
  with started(command, seconds=1800, stderr=subprocess.PIPE) as server:
    lines = iter(server.stderr.readline, '')
    match = next(filter(None, (re.search(r'http://\S+', line) for line in lines)))
    yield match[0]


@contextlib.contextmanager
def open_browser(width=1400, height=900):
  """Opens the headless Chromium of the system, without downloading a driver."""
  options = webdriver.ChromeOptions()
  options.binary_location = shutil.which('chromium')
  options.set_capability('goog:loggingPrefs', {'browser': 'SEVERE'})
  # The sandbox does not work for root, and /dev/shm is small in containers.
  arguments = ('headless=new', 'no-sandbox', 'disable-dev-shm-usage', 'force-device-scale-factor=1')
  for argument in (*arguments, f'window-size={width},{height}'):
    options.add_argument(f'--{argument}')
  service = webdriver.ChromeService(shutil.which('chromedriver'))
  driver = webdriver.Chrome(options, service)
  try:
    yield driver
  finally:
    driver.quit()


def text_of(driver):
  """Returns all text on the page, one piece per line, including that in shadow trees."""
  return driver.execute_script(_TEXT)


def count_images(driver):
  """Returns the number of images on the page that have loaded."""
  return driver.execute_script(_NUM_IMAGES)


def show(driver, address, page, expected=(), num_images=0):
  """Opens a page such as 'scalars' and waits for the texts in `expected` and for images.

  Raises:
    AssertionError: something is still missing after a minute.
  """

  def lacking():
    text = text_of(driver)
    return [wanted for wanted in expected if wanted not in text]

  def shown(_=None):
    return not lacking() and count_images(driver) >= num_images

  begin = time.monotonic()
  while True:
    driver.get('about:blank')  # otherwise only the part after # changes and nothing is reloaded
    driver.get(f'{address}#{page}')
    with contextlib.suppress(TimeoutException):
      WebDriverWait(driver, _RELOAD_AFTER, poll_frequency=0.5).until(shown)
    if shown() or time.monotonic() > begin + _TIMEOUT:
      break
  assert shown(), (
    f'{page} lacks {lacking()} and has {count_images(driver)} of {num_images} images; '
    f'its text is: {text_of(driver)[:2000]}'
  )
  time.sleep(0.5)  # charts are drawn after their titles
