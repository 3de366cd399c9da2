from html.parser import HTMLParser

from vgg_slim.data.conversion import html_report


class Reader(HTMLParser):
  """Collects tags, texts, image sources and the stack of open tags."""

  def __init__(self):
    super().__init__()
    self.tags, self.texts, self.sources, self.open = [], [], [], []

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    if tag not in ('meta', 'img'):
      self.open.append(tag)
    self.sources += [value for name, value in attributes if name in ('src', 'href')]

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    self.texts.append(data)


def read(text):
  reader = Reader()
  reader.feed(text)
  return reader


def test_names_are_escaped_and_nothing_is_fetched():
  bad = '<script>alert("1")</script>&\'.png'
  section = html_report.Section(
    bad,
    bad,
    html_report.Table((bad,), [(bad,), (7,), (html_report.Bar(0.5),), (html_report.Number(bad),)]),
    [html_report.Figure(b'\xff\xd8', bad), html_report.Figure(b'\x89PNG', bad, width=300)],
  )
  reader = read(html_report.render([section], bad))
  assert 'script' not in reader.tags
  assert (
    reader.texts.count(bad) == 9
  )  # title twice, section title, text, heading, cell, number, two captions
  assert '7' in reader.texts
  assert reader.sources == ['data:image/jpeg;base64,/9g=', 'data:image/png;base64,iVBORw==']
  assert reader.open == ['html']


def test_names_that_are_not_utf8_are_escaped():
  assert 'caf\\udce9' in html_report.render([html_report.Section('caf\udce9')], 'x')


def test_long_lists_end_with_the_number_left_out():
  names = [str(number) for number in range(53)]
  assert html_report.join_names(names[:2]) == '0, 1'
  assert html_report.join_names(names[:50]).endswith(', 48, 49')
  assert html_report.join_names(names, 'list.csv').endswith(', 49 and 3 more, see list.csv')


def test_narrow_images_are_not_enlarged_beyond_the_width_of_others():
  figure = html_report.Figure(b'\xff\xd8', 'narrow', width=80)
  text = html_report.render([html_report.Section('images', figures=[figure])], 'report')
  assert '<img style="max-height:80px" ' in text
  assert 'object-fit: contain' in text
