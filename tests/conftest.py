"""What every test stands on: the rules of the run, and the services that tests can start."""

pytest_plugins = ["tests.house.rules_of_the_run", "tests.support.fixtures", "tests.support.stores"]
