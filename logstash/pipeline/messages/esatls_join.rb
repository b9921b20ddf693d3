# Joins the events of connections and messages, in the order in which they come, for the aggregate filters beside this file.
#
# Each map is kept by aggregate under (appliance, id) and holds plain strings, numbers, arrays and hashes only, so that it outlives a restart.
# What cannot be known is "unknown": the opening line of a connection or the start of a message that came before the first line seen.
module EsatlsJoin
  module_function

  FLOWS = { "inbound" => "incoming", "outbound" => "outgoing" }.freeze
  ATTEMPTS = %w[tls_failed tls_required tls_not_offered].freeze
  INHERITED = %w[rewritten split copy released].freeze

  # ---- what the aggregate filters call: the state of a task is in map["state"] ----

  def take_connection(map, meta, event, side, kept, &emit)
    state = (map["state"] ||= {})
    connection(state, event, side)
    return unless event.get("[event][action]") == "connection_closed" || state["told"]
    state["told"] = true
    meta.inactivity_timeout = kept
    emit.call(LogStash::Event.new(connection_document(state)))
  end

  def take_parent(map, event)
    parent(map["state"], event) if map["state"]
  end

  def take_message(map, meta, event, kept, &emit)
    state = (map["state"] ||= {})
    message(state, event)
    return unless state["finished"]
    state["told"] = true
    meta.inactivity_timeout = kept
    emit.call(LogStash::Event.new(message_document(state)))
  end

  # Makes the document of a task that ran out of time; one that was written already is forgotten.
  def timed_out(event)
    state = event.remove("state")
    return event.cancel if state.nil? || state["told"]
    document = state.key?("mid") ? message_document(state) : connection_document(state)
    document.each do |name, value|
      event.set(name == "@metadata" ? "[@metadata]" : "[#{name}]", name == "@timestamp" ? LogStash::Timestamp.new(value) : value)
    end
  end

  # ---- connections ----

  # Takes one event of a connection into its map. For a message's line it leaves the connection's state in the event.
  def connection(map, event, side)
    action = event.get("[event][action]")
    if action == "connection_opened"
      map.clear
      map["opened"] = time(event)
    end
    map["esa_host"] ||= event.get("[observer][hostname]")
    map["esa_direction"] = side
    id = side == "receiving" ? "icid" : "dcid"
    map[id] = event.get("[esatls][#{id}]")
    other = side == "receiving" ? "source" : "destination"
    way = side == "receiving" ? "ingress" : "egress"
    keep(map, "peer_ip", event.get("[#{other}][ip]"))
    keep(map, "peer_host", event.get("[#{other}][#{side == 'receiving' ? 'domain' : 'address'}]"))
    keep(map, "peer_port", event.get("[#{other}][port]"))
    keep(map, "interface", event.get("[observer][#{way}][interface][name]"))
    keep(map, "interface_ip", event.get("[observer][ip]"))
    keep(map, "hat_action", event.get("[esatls][hat][action]"))
    keep(map, "sender_group", event.get("[esatls][hat][sender_group]"))
    keep(map, "country", event.get("[esatls][hat][country]"))
    keep(map, "tls_domain", event.get("[destination][domain]")) if side == "delivery"
    keep(map, "mail_flow", FLOWS[event.get("[email][direction]")])
    reason = event.get("[event][reason]")
    case action
    when "tls_success"
      map["success"] = true
      keep(map, "tls_version", version(event))
      keep(map, "tls_cipher", event.get("[tls][cipher]"))
      keep(map, "tls_peer_cn", event.get("[tls][server][x509][subject][common_name]"))
    when *ATTEMPTS
      # after a message was accepted it is the end of a session, and no fall-back
      map["attempt"] ||= reason || "" if map["mids"].nil?
      map["tls_required"] = true if action == "tls_required"
    when "tls_other"
      map["other"] ||= reason if map["mids"].nil?
    when "tls_read"
      map["read"] = true
    when "connection_error"
      map["error"] ||= [reason, event.get("[esatls][error_details]")].compact.first || "connection error"
    when "connection_closed"
      map["closed"] = time(event)
    when "message_started", "message_sender", "message_recipient", "delivery_started", "delivery_done"
      mid = event.get("[email][local_id]")
      (map["mids"] ||= []) << mid unless mid.nil? || (map["mids"] || []).include?(mid)
      event.set("[@metadata][#{side}]", state(map))
    end
  end

  # Returns what a message needs to know of its connection.
  def state(map)
    record = connection_record(map)
    %w[tls_verdict tls_version tls_cipher tls_reason peer_ip peer_host tls_domain mail_flow].each_with_object({}) do |name, state|
      state[name] = record[name] unless record[name].nil?
    end
  end

  def connection_record(map)
    record = map.reject { |name, _| %w[success attempt other read error mids told].include?(name) }
    record["messages"] = (map["mids"] || []).size
    if map["success"] || (map["read"] && map["attempt"].nil?)
      record["tls_verdict"] = "encrypted"
    elsif record["messages"].positive?
      # a TLS line of unknown wording proves nothing, and TLS is not missing where one stands
      record["tls_verdict"] = map["attempt"] || (map["opened"] && map["other"].nil?) ? "cleartext" : "unknown"
    elsif map["attempt"] || map["error"]
      record["tls_verdict"] = "failed"
    else
      record["tls_verdict"] = map["opened"] && map["other"].nil? ? "unused" : "unknown"
    end
    record["tls_reason"] = map["other"] if map["other"] && record["tls_verdict"] == "unknown"
    if %w[cleartext failed].include?(record["tls_verdict"])
      reason = map["attempt"] || (map["error"] && record["tls_verdict"] == "failed" ? "possibly: #{map['error']}" : nil)
      record["tls_reason"] = reason unless reason.to_s.empty?
    end
    record
  end

  def connection_document(map)
    record = connection_record(map)
    receiving = record["esa_direction"] == "receiving"
    verdict = record["tls_verdict"]
    other = receiving ? "source" : "destination"
    way = receiving ? "ingress" : "egress"
    document = common(record["opened"] || record["closed"])
    paths = {
      "esa_host" => "observer.hostname", "icid" => "esatls.icid", "dcid" => "esatls.dcid", "opened" => "event.start", "closed" => "event.end",
      "peer_ip" => "#{other}.ip", "peer_host" => receiving ? "source.domain" : "destination.address", "peer_port" => "#{other}.port",
      "interface" => "observer.#{way}.interface.name", "interface_ip" => "observer.ip", "hat_action" => "esatls.hat.action",
      "sender_group" => "esatls.hat.sender_group", "country" => "esatls.hat.country", "tls_verdict" => "esatls.verdict",
      "tls_cipher" => "tls.cipher", "tls_reason" => "event.reason", "tls_peer_cn" => "tls.server.x509.subject.common_name",
      "tls_domain" => "destination.domain", "tls_required" => "esatls.tls_required", "messages" => "esatls.messages"
    }
    paths.each { |name, path| put(document, path, record[name]) }
    put(document, "network.direction", way)
    put(document, "email.direction", FLOWS.key(record["mail_flow"]))
    put_version(document, "tls", record["tls_version"])
    put(document, "tls.established", verdict == "encrypted") if %w[encrypted cleartext failed].include?(verdict)
    put(document, "esatls.partner", (record["tls_domain"] || record["peer_host"] || record["peer_ip"] || "unknown").downcase)
    shares(document, "esatls.share", verdict, %w[encrypted failed cleartext])
    finish(document, "connections", [record["esa_host"], record["esa_direction"], record["icid"] || record["dcid"], record["opened"] || record["closed"]])
  end

  # ---- messages ----

  # Leaves in the event what the parent of a new message was received over.
  def parent(map, event)
    record = message_record(map)
    names = %w[received received_tls_version received_tls_cipher received_reason received_peer_ip received_peer_host icid mail_flow received_from_mid]
    known = names.each_with_object({}) { |name, found| found[name] = record[name] unless record[name].nil? }
    known["received_from_mid"] ||= event.get("[esatls][parent_mid]")
    event.set("[@metadata][parent]", known)
  end

  # Takes one event of a message into its map; true when its record has something to say that was not yet said.
  def message(map, event)
    action = event.get("[event][action]")
    now = time(event)
    mid = event.get("[email][local_id]").to_i
    map.clear if action == "message_started" && map["finished"]
    map["mid"] = mid
    map["esa_host"] ||= event.get("[observer][hostname]")
    map["first_seen"] = [map["first_seen"], now].compact.min
    map["last_seen"] = [map["last_seen"], now].compact.max
    icid = event.get("[esatls][icid]")
    keep(map, "icid", icid) unless icid == 0
    map["generated"] = true if action == "message_started" && icid == 0
    receiving = event.get("[@metadata][receiving]")
    map["receiving"] ||= receiving if receiving
    keep(map, "sender", event.get("[email][from][address]")) if action == "message_sender"
    flow = FLOWS[event.get("[email][direction]")]
    map["mail_flow"] = flow if action == "message_policy" && flow
    case action
    when "message_recipient"
      (map["recipients"] ||= {})[event.get("[esatls][rid]").first.to_s] = event.get("[email][to][address]")
    when "message_lineage"
      map["parent_mid"] = event.get("[esatls][parent_mid]")
      map["mid_relation"] = event.get("[esatls][mid_relation]")
      map["parent"] = event.get("[@metadata][parent]")
    when "delivery_started", "delivery_done", "delivery_bounced", "delivery_delayed"
      attempt(map, event)
    when "message_finished", "message_aborted"
      map["finished"] = true if action == "message_finished"
    end
    map["finished"] == true
  end

  # Adds one attempt to the deliveries. Recipients that are done, bounced or delayed leave the attempt that was only started.
  def attempt(map, event)
    outcome = event.get("[esatls][delivery][outcome]")
    rids = event.get("[esatls][rid]") || []
    dcid = event.get("[esatls][dcid]")
    attempts = (map["attempts"] ||= [])
    if outcome
      attempts.each { |open| open["rid"] -= rids if open["outcome"].nil? && open["dcid"] == dcid }
      attempts.reject! { |open| open["outcome"].nil? && open["rid"].empty? }
    end
    state = event.get("[@metadata][delivery]") || {}
    same = attempts.find { |known| known["dcid"] == dcid && known["outcome"] == outcome }
    if same
      same["rid"] |= rids
      same["state"] = state unless state.empty?
    else
      attempts << { "dcid" => dcid, "rid" => rids, "outcome" => outcome, "state" => state, "response" => event.get("[esatls][delivery][response]") }
    end
  end

  def message_record(map)
    record = {}
    %w[esa_host mid icid sender parent_mid mid_relation mail_flow first_seen last_seen].each { |name| keep(record, name, map[name]) }
    state = map["receiving"]
    if state && map["icid"]
      record["received"] = { "encrypted" => "encrypted", "cleartext" => "cleartext" }.fetch(state["tls_verdict"], "unknown")
      { "tls_version" => "received_tls_version", "tls_cipher" => "received_tls_cipher", "tls_reason" => "received_reason", "peer_ip" => "received_peer_ip",
        "peer_host" => "received_peer_host", "mail_flow" => "mail_flow" }.each { |from, to| keep(record, to, state[from]) }
    elsif map["mid_relation"] && !INHERITED.include?(map["mid_relation"])
      record["received"] = "internal"
    elsif map["parent"]
      map["parent"].each { |name, value| keep(record, name, value) }
    elsif map["mid_relation"]
      record["received"] = "unknown"
    else
      record["received"] = map["generated"] ? "internal" : "unknown"
    end
    recipients = (map["recipients"] || {}).sort_by { |rid, _| rid.to_i }.map(&:last).compact
    record["recipients"] = recipients
    record["deliveries"] = (map["attempts"] || []).map { |attempt| delivery(attempt, map["recipients"] || {}) }
    record["delivered"] = delivered(record["deliveries"])
    record["finished"] = true if map["finished"]
    record
  end

  def delivery(attempt, recipients)
    state = attempt["state"]
    found = {}
    keep(found, "dcid", attempt["dcid"]) unless attempt["dcid"] == 0
    found["rid"] = attempt["rid"].sort
    keep(found, "outcome", attempt["outcome"])
    found["verdict"] = state["tls_verdict"] || "unknown"
    keep(found, "tls_version", state["tls_version"])
    keep(found, "tls_cipher", state["tls_cipher"])
    keep(found, "ip", state["peer_ip"])
    keep(found, "host", state["peer_host"])
    domains = attempt["rid"].map { |rid| recipients[rid.to_s].to_s[/@([^@]+)\z/, 1] }.compact.map(&:downcase).uniq
    keep(found, "domain", state["tls_domain"] || (domains.size == 1 ? domains.first : nil))
    keep(found, "reason", state["tls_reason"])
    keep(found, "response", attempt["response"])
    found
  end

  def delivered(deliveries)
    verdicts = deliveries.select { |delivery| delivery["outcome"] == "done" }.map { |delivery| delivery["verdict"] }.uniq
    return "none" if verdicts.empty?
    return %w[encrypted cleartext].include?(verdicts[0]) ? verdicts[0] : "unknown" if verdicts.size == 1
    (%w[encrypted cleartext] - verdicts).empty? ? "mixed" : "unknown"
  end

  def message_document(map)
    record = message_record(map)
    document = common(record["first_seen"])
    paths = {
      "esa_host" => "observer.hostname", "icid" => "esatls.icid", "received" => "esatls.received.verdict",
      "received_tls_cipher" => "esatls.received.tls.cipher", "received_reason" => "esatls.received.reason", "received_peer_ip" => "source.ip",
      "received_peer_host" => "source.domain", "received_from_mid" => "esatls.received.from_mid", "sender" => "email.from.address",
      "recipients" => "email.to.address", "parent_mid" => "esatls.parent_mid", "mid_relation" => "esatls.mid_relation",
      "delivered" => "esatls.delivered.verdict", "first_seen" => "event.start", "last_seen" => "event.end", "finished" => "esatls.finished"
    }
    paths.each { |name, path| put(document, path, record[name]) }
    put(document, "email.local_id", record["mid"].to_s)
    put(document, "email.direction", FLOWS.key(record["mail_flow"]))
    put_version(document, "esatls.received.tls", record["received_tls_version"])
    put(document, "esatls.deliveries", record["deliveries"].map { |delivery| delivery_document(delivery) })
    partners(document, "esatls.received.partner", [record["sender"]]) unless record["mail_flow"] == "outgoing"
    partners(document, "esatls.delivered.partner", record["recipients"]) unless record["mail_flow"] == "incoming"
    shares(document, "esatls.received.share", record["received"], %w[encrypted cleartext])
    shares(document, "esatls.delivered.share", record["delivered"], %w[encrypted mixed cleartext])
    put(document, "esatls.path", path(record))
    finish(document, "messages", [record["esa_host"], record["mid"], record["first_seen"]])
  end

  def delivery_document(delivery)
    found = {}
    delivery.each do |name, value|
      case name
      when "tls_version" then put_version(found, "tls", value)
      when "tls_cipher" then put(found, "tls.cipher", value)
      else found[name] = value
      end
    end
    found
  end

  # The way of a message in words, one line for each hop.
  def path(record)
    lines = []
    lines << "made from MID #{record['parent_mid']} (#{record['mid_relation']})" if record["parent_mid"]
    by = record["received_peer_host"] || record["received_peer_ip"]
    over = record["icid"] ? ", ICID #{record['icid']}" : ""
    lines << "received #{words(record['received'], record['received_tls_version'], record['received_tls_cipher'], record['received_reason'])}#{by ? " from #{by}" : ''}#{over}"
    record["deliveries"].each do |delivery|
      to = delivery["domain"] || delivery["host"] || delivery["ip"]
      told = words(delivery["verdict"], delivery["tls_version"], delivery["tls_cipher"], delivery["reason"])
      lines << "delivery #{delivery['outcome'] || 'started'} #{told}#{to ? " to #{to}" : ''}#{delivery['dcid'] ? ", DCID #{delivery['dcid']}" : ''}"
    end
    lines
  end

  def words(verdict, version, cipher, reason)
    details = [version, cipher].compact.join(" ")
    details = reason if details.empty?
    details.to_s.empty? ? verdict : "#{verdict} (#{details})"
  end

  # ---- small helpers ----

  def common(moment)
    document = { "event" => { "kind" => "event", "category" => ["email"] } }
    document["@timestamp"] = moment if moment
    document
  end

  # Adds where the document is written: the index of its month, and an id that stays the same when more lines come.
  def finish(document, kind, key)
    moment = document["@timestamp"] || Time.now.utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    require "digest"
    require "json"
    identity = Digest::SHA256.hexdigest(JSON.generate(key).gsub(",", ", "))[0, 32]
    document["@metadata"] = { "esatls_record" => { "index" => "esatls-#{kind}-#{moment[0, 7].tr('-', '.')}", "id" => identity } }
    document
  end

  def time(event)
    moment = event.get("@timestamp").time.utc
    moment.nsec.zero? ? moment.strftime("%Y-%m-%dT%H:%M:%SZ") : moment.strftime("%Y-%m-%dT%H:%M:%S.%LZ")
  end

  # The protocol as it was logged.
  def version(event)
    number = event.get("[tls][version]")
    protocol = event.get("[tls][version_protocol]")
    protocol ? "#{protocol.upcase}v#{number}" : number
  end

  def put_version(document, prefix, logged)
    if logged =~ /\A(TLS|SSL)v(\d(?:\.\d)?)(?![\d.])/
      put(document, "#{prefix}.version", $2)
      put(document, "#{prefix}.version_protocol", $1.downcase)
    else
      put(document, "#{prefix}.version", logged)
    end
  end

  def partners(document, path, addresses)
    domains = addresses.compact.map { |address| address[/@([^@]*)\z/, 1] }.compact.map(&:downcase).uniq.sort
    put(document, path, domains) unless domains.empty?
  end

  def shares(document, path, verdict, told)
    told.each { |word| put(document, "#{path}.#{word}", word == verdict ? 1 : 0) } if told.include?(verdict)
  end

  def keep(map, name, value)
    map[name] = value if map[name].nil? && !value.nil?
  end

  def put(document, path, value)
    return if value.nil?
    *parents, leaf = path.split(".")
    parents.each { |parent| document = (document[parent] ||= {}) }
    document[leaf] = value
  end
end
