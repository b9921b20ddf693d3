"""A stand-in for a Splunk server in the tests of the dashboards: an SPL evaluator, REST endpoints, a scenario log, a browser."""
