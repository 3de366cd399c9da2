from tools.terminal_tables import print_table


def test_text_begins_at_the_left_and_numbers_end_at_the_right(capsys):
  text = '[red]' * 25  # no colour, and longer than a terminal is wide
  print_table(('name', 'ms'), [('a', '1.5'), (text, '12.5')], title='times')
  lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
  title, headings, _, first, second = lines
  assert title == 'times'
  assert headings.split() == ['name', 'ms']
  assert second == f'{text}   12.5'
  assert first == f'{"a":{len(text)}}    1.5'
