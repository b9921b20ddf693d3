"""What stands in for a Splunk server while the dashboards are tested: an SPL evaluator, REST endpoints, a scenario log, a browser."""
