"""One library for each package, one binary for each command, one test for each test file."""

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

def python_package(name, srcs = [], data = [], deps = [], pip = []):
    """A py_library of a folder and its subfolders.

    Args:
      name: name of the folder.
      srcs: by default all Python files.
      data: files that the modules read.
      deps: other libraries.
      pip: names of packages in requirements_lock.txt, as Bazel spells them.
    """
    py_library(
        name = name,
        srcs = srcs or native.glob(["**/*.py"]),
        data = data,
        visibility = ["//visibility:public"],
        deps = deps + ["@pip_deps//" + package for package in pip],
    )

def command(name):
    """A py_binary of a module in vgg_slim/commands.

    Args:
      name: name of the command and of its module.
    """
    main = "//vgg_slim/commands:%s.py" % name
    py_binary(
        name = name,
        srcs = [main],
        data = ["//:recipes"],
        main = main,
        deps = [
            "//benchmarks",
            "//vgg_slim/commands",
        ],
    )

def python_tests(name, large = [], data = [], deps = [], pip = []):
    """A py_test for each test file below this folder, and a test_suite for each folder of them.

    Each test may import any other file of the tests, any of `deps`, and read any of `data`.

    Args:
      name: name of the library of all files of the tests.
      large: folders whose tests take minutes.
      data: files that tests read.
      deps: libraries that tests import.
      pip: names of packages in requirements_lock.txt, as Bazel spells them.
    """
    py_library(
        name = name,
        testonly = True,
        srcs = native.glob(["**/*.py"]),
        deps = deps + ["@pip_deps//" + package for package in pip],
    )
    suites = {}
    for path in native.glob(["**/*_test.py"]):
        test = path[:-len(".py")]
        folder = path.rpartition("/")[0]
        py_test(
            name = test,
            size = "large" if folder in large else "medium",
            srcs = [
                path,
                "pytest_main.py",
            ],
            args = ["$(rootpath %s)" % path],
            data = data,
            main = "pytest_main.py",
            deps = [":" + name],
        )
        suites.setdefault(folder.partition("/")[0], []).append(test)
    for folder, tests in suites.items():
        if folder:
            native.test_suite(name = folder, tests = tests)
