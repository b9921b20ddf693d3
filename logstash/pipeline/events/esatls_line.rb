# Finds the line of an event as it was logged: in its message, or in a record that a collector or an ArcSight connector has put around the line.
require "json"
require_relative "esatls_tables"
require_relative "esatls_cef"

module EsatlsLine
  module_function

  # a name or the like; without spaces, a line has fields with values
  WORD = /\A[^\s=]+\z/
  LIKE_A_LINE = /\A(?:#{EsatlsTables::LIKE_A_LINE})/
  NUMBER = /\A\d{9,19}(?:\.\d{1,9})?\z/
  PORT = /\A(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,255})):\d{1,5}\z/
  SOURCE_HOST = /\A(?:(?!i-[0-9a-f]{8,17}\z)[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}|[0-9A-Fa-f:.]{2,45})\z/
  PLAIN_VALUE = /\A[^\s;=|"'\\]+(?:;[^\s;=|"'\\@]+@[^\s;=|"'\\]+)*\z/
  QUOTED_VALUE = /\A(['"]?)([^'"\\;\r\n]+)\1\z/
  LOG_NAME = /\A[A-Za-z0-9_.@-]{1,128}\z/
  WHOLE_QUOTES = /\A(?:'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")\z/m
  HEADER = /\A#{EsatlsTables::ENVELOPE}/
  # a stamp and a tag in front of a record, as in files of Fluentd and lines from relays
  IN_FRONT = /\A(?:<\d{1,3}>(?:1 )?)?(?<stamp>#{EsatlsTables::STAMP})(?:[ \t][^\s"'{}]{1,128}){0,3}(?: - -)?[ \t](?=\{)/
  # a tag and a list, as in files of Fluent Bit
  LISTED = /\A#{EsatlsTables::LISTED}/
  ESCAPE = /\\(?:u[dD][89abAB]\h\h\\u[dD][c-fC-F]\h\h|(?<half>u[dD][89a-fA-F]\h\h)|.)/m
  UNITS = [[1e11, 1], [1e14, 1e3], [1e17, 1e6], [1e20, 1e9]].freeze

  # Returns the line, and what a record around it says about its host, time, log and level; nil if there is no text.
  def read(event)
    line = event.get("message") || event.get("[event][original]")
    return unless line.is_a?(String)
    found = of_json(line)
    within = of_connector(found ? found["line"] : line)
    { "line" => line, **(found || {}), **(within || {}) }
  end

  # Returns what the records around a line say; one within another may leave its host and its time to that one.
  def of_json(line)
    found = of_record(line)
    inner = found && of_json(found["line"])
    inner ? found.slice("host", "stamp").merge(inner) : found
  end

  def of_record(line)
    return json(whole(line.gsub(/\A[ \t]+|[ \t\n,]+\z/, ""))) if line.start_with?("{", "[", " ", "\t")
    listed = LISTED.match(line) if line.end_with?("}]")
    if listed && !HEADER.match?(listed[0])
      found = json(listed.post_match.chomp("]"))
      return found && { "stamp" => stamp(listed[:time]), **found }
    end
    front = IN_FRONT.match(line) if line.end_with?("}")
    return nil unless front && !HEADER.match?(front[0])
    found = json(front.post_match)
    found && { "stamp" => front[:stamp], **found }
  end

  # If each line of an array has a record, the first and the last one get the bracket that they lack.
  def whole(text)
    opened, closed = text.start_with?("["), text.end_with?("]")
    opened == closed ? text : opened ? "#{text}]" : "[#{text}"
  end

  def of_connector(line)
    return nil unless line.include?("CEF:")
    # only directly behind the header: text further on may come from a stranger
    header = HEADER.match(line[0, EsatlsTables::LONGEST])
    behind = header ? line[header.end(0)..-1] : line
    return nil unless behind.start_with?("CEF:")
    inner, host, stamp = EsatlsCef.arcsight(behind)
    inner && { "line" => inner, "host" => host, "stamp" => stamp }.compact
  end

  # Returns what a value says about the one line in it; nil if it holds none, or several, each of which would need a separate document.
  def json(text)
    return nil unless text.start_with?("{", "[")
    found = within(parse(text), [])
    found.size == 1 ? found[0] : nil
  rescue JSON::ParserError
    nil
  end

  # JSON may name half of a character, where a text was cut or a stranger wrote it; Ruby refuses that.
  def parse(text)
    JSON.parse(text, max_nesting: 200)
  rescue JSON::ParserError
    JSON.parse(text.gsub(ESCAPE) { |escape| Regexp.last_match(:half) ? "\\ufffd" : escape }, max_nesting: 200)
  end

  # An object that holds a line is one record, even if it has other objects in it; without a line, each of these may be one.
  def within(value, around)
    return [] if around.size > EsatlsTables::DEEPEST
    return (pairs_of(value) || value).flat_map { |item| within(item, around) } if value.is_a?(Array)
    return [] unless value.is_a?(Hash)
    beside = [value, *around]
    line = line_of(value)
    return [record(line, beside)] if line
    return [made_again(value)].compact.map { |event| record(event, beside) } if taken_apart?(value)
    rows = rows_of(value)
    return rows.flat_map { |row| within(row, beside) } if rows
    return pairs(value["values"], beside) if value["values"].is_a?(Array)
    copies = hit?(value) ? EsatlsTables::COPIES.lazy.map { |name| within(value[name], beside) }.find { |found| !found.empty? } : nil
    return copies if copies
    inner = value.reject { |name, _| EsatlsTables::STRANGERS.include?(name.downcase) }
    inner.values.flat_map { |item| within(item, beside) }
  end

  # A search server's hit may have the fields of its document twice.
  def hit?(object)
    EsatlsTables::HIT.any? { |name| object.key?(name) }
  end

  # Returns the record that a list of CloudWatch's has, with each field as an object of name and value; nil for any other list.
  def pairs_of(items)
    return nil if items.empty? || !items.all? { |item| item.is_a?(Hash) && item.key?("field") && item.key?("value") }
    [items.select { |item| item["field"].is_a?(String) }.to_h { |item| [item["field"], item["value"]] }]
  end

  # Returns the rows of a table within JSON as records; nil for any other object.
  def rows_of(object)
    EsatlsTables::TABLES.each do |columns, cells|
      names, rows = object[columns], object[cells]
      next unless names.is_a?(Array) && rows.is_a?(Array) && !names.empty?
      named = names.map { |name| name.is_a?(Hash) ? name["name"] : name }
      next unless named.all?(String)
      return rows.select { |row| row.is_a?(Array) }.map { |row| named.zip(row).first(row.size).to_h }
    end
    nil
  end

  # Loki's: [["time", "line"], ...]
  def pairs(values, around)
    texts = values.select { |pair| pair.is_a?(Array) && pair.size > 1 && pair[0, 2].all?(String) }
    texts.map { |time, line| record(line, [{ "timestamp" => time }, *around]) }
  end

  # Returns the first field with more than one word, or a later one that contains the same line with a header that says more, or, behind a collector's own
  # words, the first one with a header.
  def line_of(object)
    texts = EsatlsTables::LINE.map { |name| [name, lookup(object, name)] }.select { |_, text| text.is_a?(String) && !text.strip.empty? }
    texts.reject! { |name, text| EsatlsTables::SUBJECTS.include?(name) && !text.start_with?("CEF:") } if taken_apart?(object)
    first, *others = texts.drop(texts.index { |_, text| !text.strip.match?(WORD) } || 0)
    return nil unless first
    unless EsatlsTables::UNCHANGED.include?(first[0]) || HEADER.match?(first_line(first[1])) || LIKE_A_LINE.match?(first_line(first[1]))
      at = others.index { |other, text| !EsatlsTables::LENT.include?(other) && header?(text) }
      first, *others = others.drop(at) if at
    end
    name, line = first
    said, rest = says(name, line)
    others.each do |other, longer|
      more, same = says(other, longer)
      name, line, said = other, longer, more if same == rest && more > said
    end
    name == "AdditionalExtensions" ? line + columns(object, line) : line
  end

  # Whether an object has the parts of a consolidated event: its message is a subject.
  def taken_apart?(object)
    EsatlsTables::CLASS.any? { |name| lookup(object, name) == EsatlsTables::CONSOLIDATED }
  end

  # Returns a consolidated event from the fields of a record that a collector took apart; nil if a stranger's text may be among them.
  def made_again(object)
    version = EsatlsTables::VERSION.map { |name| lookup(object, name) }.find { |text| text.is_a?(String) } || ""
    return nil unless version[/\A(\d{1,3})\./, 1].to_i >= 14 && version.match?(LOG_NAME)
    inner = lookup(object, EsatlsTables::EXTENSIONS_OBJECT)
    told = object.transform_keys { |name| name.delete_prefix("#{EsatlsTables::EXTENSIONS_OBJECT}.") }
    told.merge!(inner) if inner.is_a?(Hash)
    told.transform_values! { |value| single(value) }
    return nil if told.values.any? { |value| value.is_a?(String) && value.start_with?("{") && !value.end_with?("}") }
    fields = {}
    EsatlsTables::KEYS.each do |key|
      value = [key, *EsatlsTables::LONG_NAMES[key]].map { |name| field(lookup(told, name)) }.find { |text| !text.empty? } || ""
      if EsatlsTables::QUOTED_COLUMNS.include?(key) && !value.match?(WHOLE_QUOTES)
        return nil if value.start_with?("'", '"')
      elsif !value.empty?
        fields[key] = value.gsub("=") { "\\=" }
      end
    end
    return nil unless fields.key?("ESAMID")
    head = "CEF:0|Cisco||#{version}|#{EsatlsTables::CONSOLIDATED}|#{EsatlsTables::TAKEN_APART}||"
    head + fields.map { |key, value| " #{key}=#{value}" }.join
  end

  # Returns a field as text on one line; empty without a value.
  def field(value)
    return value.to_s if value.is_a?(Integer)
    text = value.is_a?(String) ? value.strip : ""
    EsatlsTables::NO_VALUES.include?(text) ? "" : text.tr("\r\n", "  ")
  end

  # How much the header of a text says, and what is behind it.
  def says(name, text)
    line = first_line(text)
    header = HEADER.match(line)
    rest = (header ? header.post_match : line).gsub(/\A[ \t\r]+|[ \t\r]+\z/, "")
    return [2, rest] if name == "AdditionalExtensions"
    return [0, rest] unless header
    return [2, rest] if %w[inner_host outer_host lead_host bare_host].any? { |name| header[name] }
    [header?(text) ? 1 : 0, rest]
  end

  # Whether a text begins with a header that says anything but the appliance.
  def header?(text)
    header = HEADER.match(first_line(text))
    !header.nil? && %w[outer_stamp esa_level bare_log].any? { |name| header[name] }
  end

  def first_line(text)
    text[0, EsatlsTables::LONGEST].sub(/\A[ \t]+/, "").split("\n", 2)[0].to_s
  end

  def record(line, around)
    # beside Splunk's line, other fields may be taken from its text
    raw = around[0].key?(EsatlsTables::RAW)
    host = texts(around, raw ? [EsatlsTables::RAW_HOST, *EsatlsTables::HOST] : EsatlsTables::HOST).first
    names = raw ? [EsatlsTables::RAW_TIME, *EsatlsTables::TIME] : EsatlsTables::TIME
    times = around.lazy.flat_map { |object| names.map { |name| lookup(object, name) } }
    {
      "line" => line,
      "host" => host ? without_port(host) : source(around),
      "stamp" => times.map { |value| stamp(value) }.find { |text| text },
      "log" => texts(around, raw ? [] : EsatlsTables::LOG).map { |name| name.sub(/[: ]+\z/, "") }.find { |name| name.match?(LOG_NAME) },
      "level" => texts(around, raw ? [] : EsatlsTables::LEVEL).map(&:capitalize).find { |word| EsatlsTables::LEVELS.include?(word) }
    }.compact
  end

  # Returns the source of a line where a record has no host for it: Graylog's, CloudWatch's.
  def source(around)
    name, beside, lines = EsatlsTables::SOURCE
    found = around.lazy.flat_map do |object|
      named = object.key?(beside) && lines.any? { |line| object.key?(line) }
      [*(name if named), *EsatlsTables::STREAM].map { |field| lookup(object, field) }
    end
    found.find { |value| value.is_a?(String) && value.match?(SOURCE_HOST) }
  end

  # Returns the fields with some names that are text, those beside the line first.
  def texts(around, names)
    found = around.flat_map do |object|
      own = names.map { |name| lookup(object, name) }
      resource = object["resource"]
      attributes = object["attributes"] || (resource.is_a?(Hash) ? resource["attributes"] : nil)
      case attributes
      when Hash then own + names.map { |name| lookup(attributes, name) }
      when Array # OpenTelemetry's: [{"key": ..., "value": {"stringValue": ...}}, ...]
        own + attributes.select { |item| item.is_a?(Hash) && names.include?(item["key"]) }.map { |item| lookup(item, "value.stringValue") }
      else own
      end
    end
    found.select { |value| value.is_a?(String) && !value.empty? }
  end

  # Returns a field, whether its dotted name is one key or several.
  def lookup(object, name)
    return single(object[name]) if object.key?(name)
    first, rest = name.split(".", 2)
    rest && object[first].is_a?(Hash) ? lookup(object[first], rest) : nil
  end

  # Returns the only value of a list, as search servers answer with for each field; any other value as it is.
  def single(value)
    value.is_a?(Array) && value.size == 1 ? value[0] : value
  end

  def without_port(host)
    found = PORT.match(host)
    found ? found[1] || found[2] : host
  end

  # Returns a time as text; a number counts from 1970, in the unit that its size shows.
  def stamp(value)
    if value.is_a?(String)
      return value.empty? ? nil : value unless value.match?(NUMBER)
      value = value.to_f
    end
    return nil unless value.is_a?(Numeric) && value.positive?
    _, parts = UNITS.find { |most, _| value < most }
    parts && EsatlsCef.from_epoch((value / parts * 1000).round)
  end

  # Returns what Sentinel keeps in separate columns, as further fields of AdditionalExtensions.
  def columns(object, text)
    EsatlsTables::SENTINEL_COLUMNS.map do |column, key|
      value = object[column]
      whole = column_value(key, value) if value.is_a?(String) && !text.include?("#{key}=")
      whole ? ";#{key}=#{whole}" : ""
    end.join
  end

  # Returns the text of a column as a CEF value that cannot continue into the next field; nil if it could.
  def column_value(key, value)
    return value.match?(PLAIN_VALUE) ? value : nil unless EsatlsTables::QUOTED_COLUMNS.include?(key)
    quoted = QUOTED_VALUE.match(value)
    quoted && "'#{quoted[2]}'"
  end
end
