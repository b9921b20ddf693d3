# Makes typed fields of what grok has captured of a line, under the names of ECS, and what follows from the kind of event.
require "date"
require_relative "esatls_tables"
require_relative "esatls_cef"

module EsatlsEvent
  module_function

  FLAT = "[@metadata][esatls]"
  OF_HEADER = /\A(?:(?:inner|outer|lead|bare)_|esa_level\z)/
  VERSION = /\A#{EsatlsTables::TLS_VERSION}/

  def read(event)
    captured = event.get(FLAT)
    pattern = captured.keys.find { |name| EsatlsTables::CONSTANTS.key?(name) }
    flat = pattern ? EsatlsTables::CONSTANTS[pattern].dup : {}
    stamp, host, log = header(captured, flat)
    known = pattern || stamp || host || log
    # where the header does not say it, the record around the line does
    record = event.get("[@metadata][esatls_record]") || {}
    stamp ||= record["stamp"]
    flat["esa_host"] ||= record["host"]
    flat["esa_log"] ||= record["log"] if pattern
    flat["esa_level"] ||= record["level"] if pattern
    if pattern&.start_with?("ESA_CONSOLIDATED_EVENT")
      told = EsatlsCef.parse(captured["text"].rstrip, EsatlsTables::CEF) || {}
      own = told.delete("stamp")
      stamp ||= own
      told.each { |name, value| flat[name] = EsatlsTables::INTEGERS.include?(name) ? number(value) : value }
    elsif pattern
      captured.each { |name, value| field(flat, name, value) unless name == pattern || name == "text" || name.match?(OF_HEADER) || value.to_s.empty? }
      flat["mail_flow"] = EsatlsTables::MAIL_FLOW[flat["hat_action"]] if EsatlsTables::MAIL_FLOW.key?(flat["hat_action"])
    end
    return event.set(FLAT, {}) unless known
    keep_conflicts(event)
    words(event, flat)
    relate(event, flat) if pattern
    EsatlsTables::DOCUMENTS[pattern].each { |name, value| event.set(name, value) } if pattern
    names = EsatlsTables::ECS[flat["esa_direction"] == "egress" ? "delivery" : "receiving"]
    flat.each { |name, value| event.set(names[name], value) if names.key?(name) && !value.nil? }
    event.set(FLAT, stamp ? { "stamp" => one_form(stamp) } : {})
  end

  # The appliance's own words, the inner ones, win.
  def header(captured, flat)
    host = flat["esa_host"] = captured["inner_host"] || captured["outer_host"] || captured["lead_host"] || captured["bare_host"]
    log = flat["esa_log"] = captured["inner_log"] || captured["outer_log"] || captured["bare_log"]
    flat["esa_level"] = captured["esa_level"]&.capitalize
    [captured["inner_stamp"] || captured["outer_stamp"], host, log]
  end

  def field(flat, name, value)
    if name == "rid"
      numbers = value.tr(",", " ").split.select { |digits| digits.size <= 18 }
      flat["rid"] = numbers.map { |digits| number(digits) } unless numbers.empty?
    elsif name == "policy_table"
      flat["mail_flow"] = EsatlsTables::MAIL_FLOW[value]
    else
      flat[name] = EsatlsTables::INTEGERS.include?(name) ? number(value) : value
    end
  end

  # An id that no 64 bits hold stays as it is.
  def number(digits)
    digits.to_i < 2**63 ? digits.to_i : digits
  end

  # A text where ECS has an object is kept as a label, and named.
  def keep_conflicts(event)
    EsatlsTables::OBJECTS.each do |name|
      there = event.get(name)
      next if there.nil? || there.is_a?(Hash)
      event.remove(name)
      event.set("[labels][conflict_#{name}]", there.to_s)
      event.tag("_esatls_mapping_conflict")
    end
  end

  def words(event, flat)
    flat["esa_direction"] = EsatlsTables::DIRECTIONS[flat["esa_direction"]]
    flat["mail_flow"] = EsatlsTables::FLOWS[flat["mail_flow"]] if flat["mail_flow"]
    flat["mid"] = flat["mid"].to_s if flat["mid"]
    if flat["tls_result"]
      event.set("[event][outcome]", EsatlsTables::OUTCOMES[flat["tls_result"]])
      event.set("[tls][established]", flat["tls_result"] == "success")
    end
    # the family TLSv1/SSLv3 counts as its first name
    version = VERSION.match(flat["tls_version"].to_s)
    return unless version
    event.set("[tls][version_protocol]", version[1].downcase)
    flat["tls_version"] = version[2]
  end

  # What ECS repeats under related, and has as lists.
  def relate(event, flat)
    EsatlsTables::RELATED.each do |group, names|
      found = names.map { |name| flat[name] }.compact.uniq
      event.set("[related][#{group}]", found) unless found.empty?
    end
    event.set("[network][type]", flat["peer_ip"].include?(":") ? "ipv6" : "ipv4") if flat["peer_ip"]
    EsatlsTables::LISTS.each { |name| flat[name] = [flat[name]] if flat[name] }
  end

  # A stamp of any form as ISO 8601 for the date filter; one without a year is of the last that does not lie ahead. What is no stamp stays.
  def one_form(stamp)
    found = /\A(.*?)[T :](\d\d:\d\d:)(\d\d)(?:[.,](\d+))?(.*)\z/.match(stamp)
    return stamp unless found
    date = found[1].tr("/:-", " ").split
    date.shift if date[0]&.match?(/\A[A-Z]/) && !EsatlsTables::MONTHS.key?(date[0])
    behind = found[5].split
    year, month, day = EsatlsTables::MONTHS.key?(date[0]) ? [date[2], *date] : date[0].to_s.size == 4 ? date : [date[2], *in_order(date)]
    year ||= behind.pop if behind.last&.match?(/\A\d{4}\z/)
    month = (EsatlsTables::MONTHS[month] || month).to_i
    clock = "#{found[2]}#{found[3] == '60' ? '59' : found[3]}"
    year = (year || last_year(month, day.to_i, clock)).to_i
    format("%04d-%02d-%02dT%s%s%s", year, month, day.to_i, clock, found[4] ? ".#{found[4]}" : "", zone(behind.join))
  end

  # The day first, where the month has a name; else the month.
  def in_order(date)
    EsatlsTables::MONTHS.key?(date[1]) ? [date[1], date[0]] : [date[0], date[1]]
  end

  def zone(name)
    hours = EsatlsTables::ZONES[name]
    return format("%+03d:00", hours) if hours
    name.sub(/\A([+-]\d\d)(\d\d)\z/, '\1:\2')
  end

  def last_year(month, day, clock)
    latest = Time.now.utc + 86_400
    year = latest.year
    year -= 1 if ([month, day, clock] <=> [latest.month, latest.day, latest.strftime("%H:%M:%S")]).positive?
    year -= 1 until month != 2 || day < 29 || Date.gregorian_leap?(year)
    year
  end
end
