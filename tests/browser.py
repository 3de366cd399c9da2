"""TensorBoard in a headless Chromium, for the test of what it shows and for the pages' pictures."""

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
_PATIENCE = 60  # seconds; a page takes two or three on an idle machine
_RELOAD_AFTER = 15  # seconds; TensorBoard offers a page once it has seen a file for it

# TensorBoard's pages are web components: text and pictures are in shadow trees; CSS stops there.
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
_PICTURES = f"""{_ALL_ELEMENTS}
return found.filter(n => n.nodeName === 'IMG' && n.complete && n.naturalWidth > 0).length;
"""


def missing():
  """The programs that are not installed."""
  return [name for name in PROGRAMS if not shutil.which(name)]


@contextlib.contextmanager
def serve_tensorboard(logdir):
  """TensorBoard in a process of its own on a free port; gives its address."""
  command = [sys.executable, '-m', 'tensorboard.main', f'--logdir={logdir}', '--port=0']
  with started(command, seconds=1800, stderr=subprocess.PIPE) as server:
    lines = iter(server.stderr.readline, '')
    found = next(filter(None, (re.search(r'http://\S+', line) for line in lines)))
    yield found[0]


@contextlib.contextmanager
def open_browser(width=1400, height=900):
  """A headless Chromium of the system, which fetches no driver."""
  options = webdriver.ChromeOptions()
  options.binary_location = shutil.which('chromium')
  options.set_capability('goog:loggingPrefs', {'browser': 'SEVERE'})
  # root has no sandbox of its own, and containers have a small /dev/shm.
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
  """All text of the page, a piece a line, that of shadow trees included."""
  return driver.execute_script(_TEXT)


def count_pictures(driver):
  """Pictures of the page that have loaded."""
  return driver.execute_script(_PICTURES)


def show(driver, address, page, expected=(), pictures=0):
  """Opens a page such as 'scalars' and waits for all texts of `expected` and so many pictures.

  Raises:
    AssertionError: what was still missing after a minute.
  """

  def lacking():
    text = text_of(driver)
    return [wanted for wanted in expected if wanted not in text]

  def shown(_=None):
    return not lacking() and count_pictures(driver) >= pictures

  begin = time.monotonic()
  while True:
    driver.get('about:blank')  # else only what stands after # changes, and nothing is loaded anew
    driver.get(f'{address}#{page}')
    with contextlib.suppress(TimeoutException):
      WebDriverWait(driver, _RELOAD_AFTER, poll_frequency=0.5).until(shown)
    if shown() or time.monotonic() > begin + _PATIENCE:
      break
  assert shown(), (
    f'{page} lacks {lacking()} and has {count_pictures(driver)} of {pictures} pictures; '
    f'it says: {text_of(driver)[:2000]}'
  )
  time.sleep(0.5)  # charts are drawn after their titles
