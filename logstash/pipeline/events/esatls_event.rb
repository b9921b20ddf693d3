# Turns a line into a document of the Elastic Common Schema: what its header says and, if the line is an event, what that says.
require "date"
require_relative "esatls_tables"
require_relative "esatls_line"
require_relative "esatls_cef"

module EsatlsEvent
  module_function

  EVENTS = EsatlsTables::EVENTS.transform_values { |text, branches| [/\A(?:#{text})\s*\z/, branches] }.freeze
  PATTERNS = EsatlsTables::PATTERNS
  HOST, LOG, LEVEL, FLOW = EsatlsTables::HEADER.values_at("esa_host", "esa_log", "esa_level", "mail_flow")
  # the headers of most lines; ENVELOPE reads these, too
  USUAL = /\A#{EsatlsTables::USUAL}/
  ENVELOPE = /\A#{EsatlsTables::ENVELOPE}/
  VERSION = /\A#{EsatlsTables::TLS_VERSION}/
  CONSOLIDATED = "ESA_CONSOLIDATED_EVENT"
  SHIPPERS = [%w[observer hostname], %w[event timezone]].map { |group, name| ["#{group}.#{name}", group, "[#{group}][#{name}]"] }.freeze

  def read(event)
    spread(event)
    line, record = event.get("message"), {}
    unless whole?(line)
      record = EsatlsLine.read(event)
      return refuse(event, line.nil? ? "the document has no field message" : "the field message is no text") unless record
      line = record["line"]
    end
    stamp, host, log, level, text, outer = header(line)
    pattern, fields = event_of(text)
    return unless pattern || stamp || host || log
    # what the header does not say, the record around the line may say
    made = pattern ? copy(PATTERNS[pattern]["document"]) : {}
    taken = record["stamp"] || outer
    stamp ||= record["stamp"]
    own = fill(made, pattern, fields, text) if pattern
    stamp ||= own
    put(made, HOST, host) if host ||= record["host"] || sender(event)
    put(made, LOG, log) if log ||= (record["log"] if pattern)
    put(made, LEVEL, level.capitalize) if level ||= (record["level"] if pattern)
    lay(event, made)
    event.set("[@metadata][esatls_stamp]", one_form(stamp, taken)) if stamp
  end

  # A shipper may write a field's path as one name, which the server accepts, too.
  def spread(event)
    SHIPPERS.each do |path, group, reference|
      value = event.get(path)
      next if value.nil? || event.get(reference)
      there = event.get(group)
      event.set(reference, event.remove(path)) if there.nil? || there.is_a?(Hash)
    end
  end

  # Says why a document has no line, in the words of the ingest pipeline.
  def refuse(event, reason)
    event.tag("_esatls_failure")
    event.set("[event][kind]", "pipeline_error")
    event.set("[error][message]", [*event.get("[error][message]"), "esatls-line: #{reason}"])
  end

  # Returns the host that a shipper has taken off the line together with its header, else the address that sent the line; nil if the appliance is named already.
  def sender(event)
    return unless event.get("[observer][hostname]").nil?
    name, address = %w[[log][syslog][hostname] [log][source][address]].map { |path| event.get(path) }.map { |value| value if value.is_a?(String) && !value.empty? }
    name || (EsatlsLine.without_port(address) if address)
  end

  # Tells whether a line is neither within a record nor a record itself.
  def whole?(line)
    line.is_a?(String) && !line.start_with?("{", "[", " ", "\t") && !line.end_with?("}", "}]") && !line.include?("CEF:")
  end

  # Returns stamp, host, log and level of a line, the text behind its header, and the stamp of a relay. What the appliance itself wrote (the inner parts) takes
  # precedence.
  def header(line)
    found = USUAL.match(line)
    if found
      native, syslog, host, log, inner, level = found.captures
      return [native || inner || syslog, host, log, level, found.post_match]
    end
    found = ENVELOPE.match(line)
    return [nil, nil, nil, nil, line] unless found
    host = found[:inner_host] || found[:outer_host] || found[:lead_host] || found[:bare_host]
    log = found[:inner_log] || found[:outer_log] || found[:bare_log]
    text = found[:outer_stamp] ? cell(found[0], found.post_match) : found.post_match
    [found[:inner_stamp] || found[:outer_stamp], host, log, found[:esa_level], text, (found[:outer_stamp] if found[:inner_stamp])]
  end

  # Returns the text behind a header: in a row of CSV without names of columns, it ends where the quotes end that the header opens.
  def cell(header, text)
    mark = header[/[,;\t|](?="[^"]*\z)/]
    return text unless mark && header.count('"').odd?
    found = /\A([^"]*(?:""[^"]*)*)"(?:#{Regexp.escape(mark)}|\z)/.match(text)
    found ? found[1].gsub('""', '"') : text
  end

  # Returns the pattern of an event and its fields. A text is an event only if all of it matches.
  def event_of(text)
    expression, branches = EVENTS[text[0, 4]]
    found = expression&.match(text)
    return unless found
    _, pattern, groups = branches.find { |mark, _, _| found[mark] }
    fields = {}
    groups.each do |name, group|
      value = found[group]
      fields[name] = value unless value.nil? || value.empty?
    end
    [pattern, fields]
  end

  # Puts the fields of an event where ECS has them; returns the time in a consolidated event.
  def fill(made, pattern, fields, text)
    plan = PATTERNS[pattern]
    known, related = plan["fields"], plan["related"]
    if pattern.start_with?(CONSOLIDATED)
      fields = EsatlsCef.parse(text.rstrip, EsatlsTables::CEF) || {}
      stamp = fields.delete("stamp")
      known, related = EsatlsTables::CEF_FIELDS, EsatlsTables::RELATED
    end
    fields.each do |name, value|
      kind, path = known[name]
      field(made, kind, path, value) if kind
    end
    related.each do |group, names|
      found = names.map { |name| fields[name] }.compact.uniq
      put(made, ["related", group], found) unless found.empty?
    end
    put(made, %w[network type], fields["peer_ip"].include?(":") ? "ipv6" : "ipv4") if fields["peer_ip"]
    stamp
  end

  def field(made, kind, path, value)
    case kind
    when "text" then put(made, path, value)
    when "integer" then put(made, path, number(value))
    when "list" then put(made, path, [value])
    when "integers"
      numbers = value.tr(",", " ").split.select { |digits| digits.size <= 18 }
      put(made, path, numbers.map { |digits| number(digits) }) unless numbers.empty?
    when "version" then version(made, path, value)
    else
      # the action of the host access table shows the mail flow, too
      put(made, path, value) if kind == "hat"
      flow = EsatlsTables::MAIL_FLOW[value]
      put(made, FLOW, EsatlsTables::FLOWS[flow]) if flow
    end
  end

  # An id that does not fit into 64 bits stays text.
  def number(digits)
    digits.to_i < 2**63 ? digits.to_i : digits
  end

  # TLSv1.2 is version 1.2 of tls; of the family TLSv1/SSLv3, the first name counts.
  def version(made, path, value)
    found = VERSION.match(value)
    put(made, %w[tls version_protocol], found[1].downcase) if found
    put(made, path, found ? found[2] : value)
  end

  def put(made, path, value)
    last = path.size - 1
    path.each_with_index { |name, at| at == last ? made[name] = value : made = (made[name] ||= {}) }
  end

  def copy(document)
    document.transform_values { |value| value.is_a?(Hash) ? copy(value) : value }
  end

  # Merges what was made into the event. A value where ECS has an object is kept as a label, and the event is tagged.
  def lay(event, made)
    EsatlsTables::OBJECTS.each do |name|
      there, own = event.get(name), made[name]
      unless there.nil? || there.is_a?(Hash)
        event.remove(name)
        event.set("[labels][conflict_#{name}]", there.to_s)
        event.tag("_esatls_mapping_conflict")
        there = nil
      end
      event.set(name, there ? merged(there, own) : own) if own
    end
  end

  def merged(there, own)
    there.merge(own) { |_, old, new| old.is_a?(Hash) && new.is_a?(Hash) ? merged(old, new) : new }
  end

  # Returns a stamp of any form as ISO 8601, for the date filter. One without a year gets the latest year in which it is at most one day ahead of the time when a
  # collector took the line, or of now. Text that is not a stamp stays as it is.
  def one_form(stamp, taken = nil)
    month = EsatlsTables::MONTHS[stamp[4, 3]]
    # as the appliance writes it: Wed Jul 20 19:47:40 2005
    if month && stamp.size == 24 && stamp[20, 4].match?(/\A\d{4}\z/) && stamp[20, 4] != "0000" && stamp[17, 2] != "60"
      return "#{stamp[20, 4]}-#{month < 10 ? '0' : ''}#{month}-#{stamp[8, 2].tr(' ', '0')}T#{stamp[11, 8]}"
    end
    found = /\A(.*?)[T :](\d\d:\d\d:)(\d\d)(?:[.,](\d+))?(.*)\z/.match(stamp)
    return stamp unless found
    date = found[1].tr("/:-", " ").split
    date.shift if date[0]&.match?(/\A[A-Z]/) && !EsatlsTables::MONTHS.key?(date[0])
    behind = found[5].split
    year, month, day = EsatlsTables::MONTHS.key?(date[0]) ? [date[2], *date] : date[0].to_s.size == 4 ? date : [date[2], *in_order(date)]
    year ||= behind.pop if behind.last&.match?(/\A\d{4}\z/)
    month = (EsatlsTables::MONTHS[month] || month).to_i
    clock = "#{found[2]}#{found[3] == '60' ? '59' : found[3]}"
    year = (year || last_year(month, day.to_i, clock, taken)).to_s
    # a text that no date filter reads
    return "no year: #{stamp}" unless year.match?(/\A(?!0000)\d{4}\z/)
    format("%s-%02d-%02dT%s%s%s", year, month, day.to_i, clock, found[4] ? ".#{found[4]}" : "", zone(behind.join))
  end

  # Returns month and day: a date has the day first if the month is a name, else the month.
  def in_order(date)
    EsatlsTables::MONTHS.key?(date[1]) ? [date[1], date[0]] : [date[0], date[1]]
  end

  def zone(name)
    hours = EsatlsTables::ZONES[name]
    return format("%+03d:00", hours) if hours
    # a time zone that is not known
    return "" if name.match?(/\A[A-Z]{3,}\z/)
    name.sub(/\A([+-]\d\d)\z/, '\1:00').sub(/\A([+-]\d\d)(\d\d)\z/, '\1:\2')
  end

  def last_year(month, day, clock, taken)
    latest = (moment(taken) || Time.now.utc) + 86_400
    year = latest.year
    year -= 1 if ([month, day, clock] <=> [latest.month, latest.day, latest.strftime("%H:%M:%S")]).positive?
    year -= 1 until month != 2 || day < 29 || Date.gregorian_leap?(year)
    year
  end

  def moment(stamp)
    DateTime.parse(one_form(stamp)).to_time.utc if stamp
  rescue ArgumentError, RangeError
    nil
  end
end
