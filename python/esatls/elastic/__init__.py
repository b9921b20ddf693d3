"""esatls in Elasticsearch and Kibana: documents, set-up, loading and joining."""
