# Reads Cisco's consolidated events (CEF) key by key, by the rules at the head of python/esatls/extraction/cef.py: text that a stranger wrote cannot state a
# TLS field. Also takes a mail log line out of an ArcSight connector's record.
require_relative "esatls_tables"

module EsatlsCef
  module_function

  TABLES = EsatlsTables::CEF
  KEY = "(?u:\\w+|#{TABLES['spaced'].join('|')})="
  SINGLE = %q{'[^'\\\\]*(?:\\\\.[^'\\\\]*)*(?:'|\\\\?\z)}
  DOUBLE = %q{"[^"\\\\]*(?:\\\\.[^"\\\\]*)*(?:"|\\\\?\z)}
  JSON_QUOTED = %q{\\\\"[^"\\\\]*(?:\\\\[^"][^"\\\\]*)*(?:\\\\"|\\\\?\z)}
  QUOTED = "(?:#{SINGLE}|#{DOUBLE}|#{JSON_QUOTED})(?= *(?:\\z| #{KEY}))"
  BRACED = "\\{[^'\" ]*(?:(?:#{SINGLE}|#{DOUBLE}| (?!(?u:\\w+)=))[^'\" ]*)*"
  NEXT_KEY = / (#{KEY})/
  QUOTED_VALUE = /\G ?(#{QUOTED})/m
  BRACED_VALUE = /\G ?(#{BRACED})/m
  WORDS_VALUE = /\G([^ ]*(?: +(?! |#{KEY})[^ ]+)*)/
  STAMP = /\A\w{3} \w{3} [ \d]?\d \d\d:\d\d:\d\d \d{4}\z/
  ADDRESS = '(?:"[^"\\\\]*(?:\\\\.[^"\\\\]*)*"|[^ ";,<>]+)@(?u:[\w.:\[\]-])+'
  WHOLE = /\A(?:#{ADDRESS}(?:;#{ADDRESS})*|(?u:[\w:\[\]-]+(?:\.[\w:\]-]+)+)|#{TABLES['no_values'].values.join("|")}|)\z/
  WHOLE_NAME = /\A(?:.*<#{ADDRESS}>|#{ADDRESS})\z/
  QUOTED_PRINTABLE = /=[0-9A-F]{2}/
  JOINED = /\A *(?u:\w+)=[^ ;]*;(?u:\w*)(?:=|\z)/
  ARCSIGHT_KEY = /(?:\A|(?<= ))([a-z]\w*)=/

  # Returns the fields of one record, as text; nil if it is not one of Cisco's. +tables+ are made from the Python tables.
  def parse(text, tables)
    whole = text.start_with?("CEF:")
    header = text.split("|", 8)
    return nil if whole ? header.size < 8 || header[4] != EsatlsTables::CONSOLIDATED : !text.include?("ESAMID=")
    extension = " " + (whole ? header[7] : text)
    major = header[3][/\A(\d{1,3})\./, 1] if whole
    escaping = !major.nil? && major.to_i >= 14
    apart = whole && header[5] == EsatlsTables::TAKEN_APART
    joined = extension.match?(JOINED)
    if joined
      extension = extension.gsub(/;(?=(?u:\w+)=|(?u:\w*)\z)/, " ")
      escaping = false
    elsif !whole
      return nil
    end
    fields = values(read(extension, escaping, joined, apart, tables, tables["names"]), tables)
    stamp = stamp_of(extension, fields["ended"], escaping, joined, apart, tables)
    stamp ? fields.merge("stamp" => stamp) : fields
  end

  # Returns the time at which a record says that it was written: in UTC if it has milliseconds since 1970, else the end of the message's processing as logged.
  def stamp_of(extension, ended, escaping, joined, apart, tables)
    return ended if ended && !extension.include?("rt=")
    times = read(extension, escaping, joined, apart, tables, tables["times"])
    milliseconds = [times["received"], times["ended"]].find { |time| time.to_s.match?(/\A\d{12,13}\z/) }
    milliseconds ? from_epoch(milliseconds.to_i) : ended
  end

  def from_epoch(milliseconds)
    Time.at(milliseconds / 1000, (milliseconds % 1000) * 1000).utc.strftime("%Y-%m-%dT%H:%M:%S.%LZ")
  end

  def read(extension, escaping, joined, apart, tables, names)
    front = {}
    behind = {}
    stated = front
    keys = {}
    doubled = open = unknown = false
    found = NEXT_KEY.match(extension)
    while found
      key = found[1][0..-2]
      doubled ||= keys.key?(key)
      keys[key] = true
      stranger = tables["strangers"].include?(key)
      value, finish, bare = value_at(key, extension, found.end(0), stranger, tables)
      bare &&= stranger
      if key.start_with?("ESATLS")
        name = tables["tls"][key]
        told = key.end_with?("ConnStatus") ? tables["results"][value.downcase] : value
        if !open && !unknown && name && told && value.match?(/\A[\w.\/+-]+\z/)
          (stated[name] ||= []) << told
        end
      else
        unknown ||= joined && !tables["known"].include?(key)
        open = (apart && open) || (bare && !whole?(key, value, escaping, apart))
        name = names[key]
        (stated[name] ||= []) << value if name && !value.empty?
      end
      stated = behind if bare
      found = NEXT_KEY.match(extension, finish)
    end
    behind.reject! { |name, _| name.start_with?("tls_") } if doubled && !escaping
    agreed = behind.merge(front).transform_values(&:uniq)
    agreed.select { |_, told| told.size > 1 }.each_key do |name|
      side = name[/\Atls_(?:in|out)_/]
      agreed.reject! { |other, _| side ? other.start_with?(side) : other == name }
    end
    agreed.transform_values(&:first)
  end

  def value_at(key, extension, start, stranger, tables)
    enclosed = if tables["quoted"].include?(key)
                 QUOTED_VALUE.match(extension, start)
               elsif !stranger && !tables["names"].key?(key)
                 BRACED_VALUE.match(extension, start)
               end
    return [enclosed[1], enclosed.end(0), false] if enclosed
    words = WORDS_VALUE.match(extension, start)
    value = words[1].sub(/\A +/, "")
    if key.start_with?("ESATLS") || (tables["names"].key?(key) && !tables["quoted"].include?(key) && !value.start_with?('"') && !value.match?(STAMP))
      value = value[/\A[^ ]*/] unless value.start_with?(" ")
    end
    [value, words.end(0), true]
  end

  def whole?(key, value, escaping, apart)
    return true if escaping && !apart && value.include?("\\=")
    return key == "msg" && !escaping && !value.include?(" ") && value.match?(QUOTED_PRINTABLE) if %w[msg ESAFinalActionDetails].include?(key)
    return escaping && value.match?(WHOLE_NAME) if key == "ESAFriendlyFrom"
    value.match?(WHOLE)
  end

  def values(fields, tables)
    tables["ids"].each { |name| fields.delete(name) if fields[name] && !(fields[name].match?(/\A\d+\z/) && fields[name].size <= tables["longest_id"]) }
    if fields["mail_flow"]
      flow = tables["flows"][fields.delete("mail_flow")]
      fields["mail_flow"] = flow if flow
    end
    fields.delete("ended") if fields["ended"] && !fields["ended"].match?(STAMP)
    fields.delete("peer_ip") if fields["peer_ip"] && !fields["peer_ip"].match?(/\A[0-9A-Fa-f:.]+\z/)
    %w[sender recipient].each { |name| fields[name] = unescape(fields[name]) if fields[name] }
    fields.delete_if { |name, value| value.empty? || value == tables["no_values"][name] }
    %w[message_id subject].each do |name|
      next unless fields[name]
      text = strip(unescape(without_quotes(fields.delete(name))))
      fields[name] = text unless text.empty?
    end
    fields.merge("witness" => "cef")
  end

  def strip(text)
    text.sub(/\A +/, "").sub(/(?<! ) +\z/, "")
  end

  # Returns a value without its quotes; a cut record lacks the last one.
  def without_quotes(value)
    value = strip(value)
    quote = ["'", '"', '\\"'].find { |mark| value.start_with?(mark) }
    quote ? value.delete_prefix(quote).delete_suffix(quote) : value
  end

  # A single backslash at the end is dropped: the character that it escaped was cut off.
  def unescape(text)
    text.sub(/(?<!\\)\\\z/, "").gsub(/\\+([=|\\])/, '\1')
  end

  # Returns [line, host, time] of a mail log line in an ArcSight connector's record; nil if there is none, or if a stranger may have written msg.
  def arcsight(text)
    header = text.split("|", 8)
    return nil if header.size < 8 || header[4] == EsatlsTables::CONSOLIDATED || !header[0].start_with?("CEF:") || header[1].downcase != "cisco" || !header[2].downcase.include?("ironport")
    extension = header[7]
    fields = {}
    keys = []
    extension.scan(ARCSIGHT_KEY) { keys << Regexp.last_match }
    keys.each_with_index do |key, number|
      return nil if key[1] == "msg" && fields.key?("msg")
      finish = number + 1 < keys.size ? keys[number + 1].begin(0) : extension.size
      fields[key[1]] ||= extension[key.end(0)...finish].sub(/ +\z/, "")
    end
    line = unescape(fields["msg"].to_s)
    return nil if line.empty?
    host = [fields["dvchost"], fields["dvc"], fields["ahost"]].find { |name| !name.to_s.empty? }
    rt = fields["rt"].to_s
    time = rt.match?(/\A\d{1,14}\z/) ? from_epoch(rt.to_i) : nil
    [line, host, time]
  end
end
