import json

import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.training import cluster


def environment(workers=('a:1', 'b:2'), kind='worker', index=1):
  values = {'cluster': {'worker': workers}, 'task': {'type': kind, 'index': index}}
  return {'TF_CONFIG': json.dumps(values)}


def test_tf_config_is_read():
  assert cluster.read_cluster(environment()) == cluster.Cluster(('a:1', 'b:2'), 1)


@pytest.mark.parametrize('single', [{}, {'TF_CONFIG': ''}, environment(['a:1'], index=0)])
def test_a_single_worker_is_not_a_cluster(single):
  assert cluster.read_cluster(single) is None


def test_other_jobs_are_ignored():
  values = json.loads(environment()['TF_CONFIG'])
  values['cluster']['evaluator'] = ['c:3']
  assert cluster.read_cluster({'TF_CONFIG': json.dumps(values)}).workers == ('a:1', 'b:2')


@pytest.mark.parametrize(
  'wrong',
  [
    {'TF_CONFIG': 'a:1,b:2'},
    {'TF_CONFIG': '{"cluster": {}}'},
    {'TF_CONFIG': '[]'},
    environment(workers='a:1'),
    environment(workers=['a:1', 2]),
    environment(kind='ps', index=0),
    environment(index=2),
    environment(index='0'),
  ],
)
def test_the_error_shows_the_wrong_tf_config_and_the_expected_form(wrong):
  with pytest.raises(ConfigError, match='TF_CONFIG=.*expected .*"worker": ..host:port'):
    cluster.read_cluster(wrong)


def test_each_local_worker_has_its_own_port():
  clusters = cluster.local_clusters(3)
  assert [local.index for local in clusters] == [0, 1, 2]
  assert len({local.workers for local in clusters}) == 1
  ports = {address.removeprefix('127.0.0.1:') for address in clusters[0].workers}
  assert len(ports) == 3
  assert all(port.isdecimal() for port in ports)
  assert cluster.read_cluster({'TF_CONFIG': clusters[2].to_json()}) == clusters[2]
