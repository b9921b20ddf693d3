# Finds the line of an event as it was logged: in its message, or in a record that a collector or an ArcSight connector has put around it.
require "json"
require_relative "esatls_tables"
require_relative "esatls_cef"

module EsatlsLine
  module_function

  HEADER = /\A#{EsatlsTables::ENVELOPE}/
  NUMBER = /\A\d{9,14}(?:\.\d{1,9})?\z/
  PORT = /\A(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,255})):\d{1,5}\z/
  PLAIN_VALUE = /\A[^\s;=|"'\\]+(?:;[^\s;=|"'\\@]+@[^\s;=|"'\\]+)*\z/

  # Sets the line, and what a record around it says of its host and time.
  def read(event)
    line = event.get("message") || event.get("[event][original]")
    return event.tag("_esatls_no_message") unless line.is_a?(String)
    inner, host, stamp = line.start_with?("{") ? of_json(line) : of_connector(line)
    within, own_host, own_stamp = of_connector(inner) if inner && line.start_with?("{")
    inner, host, stamp = within, own_host || host, own_stamp || stamp if within
    event.set("[@metadata][esatls_line]", inner || line)
    return unless inner
    event.set("[@metadata][esatls_host]", host)
    event.set("[@metadata][esatls_stamp]", stamp)
  end

  def of_connector(line)
    return nil unless line.include?("CEF:")
    # right behind the header: what stands further on is text that somebody chose
    header = HEADER.match(line[0, EsatlsTables::LONGEST])
    behind = header ? line[header.end(0)..-1] : line
    EsatlsCef.arcsight(behind) if behind.start_with?("CEF:")
  end

  # Returns line, host and time of a JSON record; nil if no field of it holds a line.
  def of_json(text)
    record = JSON.parse(text)
    return nil unless record.is_a?(Hash)
    record = record["result"] if record["result"].is_a?(Hash)
    name = EsatlsTables::JSON_TEXT.find { |field| !lookup(record, field).to_s.strip.empty? }
    return nil unless name
    line = lookup(record, name)
    line += columns(record, line) if name == "AdditionalExtensions"
    hosts = EsatlsTables::JSON_HOST.map { |field| lookup(record, field) }
    host = hosts.find { |found| !found.to_s.empty? }
    [line, host && without_port(host), EsatlsTables::JSON_TIME.lazy.map { |field| stamp(record[field]) }.find { |found| found }]
  rescue JSON::ParserError
    nil
  end

  # A field that is text, whether its dotted name is one key or several.
  def lookup(record, name)
    value = found(record, name)
    value.is_a?(String) ? value : nil
  end

  def found(record, name)
    return record[name] if record.key?(name)
    first, rest = name.split(".", 2)
    rest && record[first].is_a?(Hash) ? found(record[first], rest) : nil
  end

  def without_port(host)
    found = PORT.match(host)
    found ? found[1] || found[2] : host
  end

  # Numbers are seconds since 1970, or milliseconds, which no log has seen so many seconds of.
  def stamp(value)
    if value.is_a?(String)
      return value.strip.empty? ? nil : value unless value.match?(NUMBER)
      value = value.to_f
    end
    return nil unless value.is_a?(Numeric) && value.positive? && value < 1e14
    EsatlsCef.from_epoch((value > 1e11 ? value : value * 1000).round)
  end

  # What Sentinel keeps in columns of its own, as further fields of AdditionalExtensions.
  def columns(record, text)
    EsatlsTables::SENTINEL_COLUMNS.map do |column, key|
      value = record[column]
      value.is_a?(String) && value.match?(PLAIN_VALUE) && !text.include?("#{key}=") ? ";#{key}=#{value}" : ""
    end.join
  end
end
