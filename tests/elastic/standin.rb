# A stand-in for Logstash: runs the steps of a filter, read from its configuration by a parser and given as JSON, over lines.
# The Ruby of the filter runs as in Logstash: on JRuby, whose expressions are Joni's.
#
# Each line of standard input is JSON, and so is the line of standard output that answers it: {"steps": [...], "documents": [...]} with the documents
# afterwards, {"yaml": {...}} with what the texts mean.
require "json"
require "java"

class Event
  def initialize(fields)
    @fields = fields
    @fields["@metadata"] = {}
  end

  def self.path(reference)
    reference.start_with?("[") ? reference[1..-2].split("][") : [reference]
  end

  def get(reference)
    found = Event.path(reference).reduce(@fields) { |at, name| at.is_a?(Hash) ? at[name] : nil }
    found.is_a?(Hash) || found.is_a?(Array) ? Marshal.load(Marshal.dump(found)) : found
  end

  def set(reference, value)
    *parents, leaf = Event.path(reference)
    parents.reduce(@fields) { |at, name| at[name] ||= {} }[leaf] = value
  end

  def remove(reference)
    *parents, leaf = Event.path(reference)
    parents.reduce(@fields) { |at, name| at.is_a?(Hash) ? at[name] : nil }&.delete(leaf)
  end

  def tag(name)
    tags = Array(@fields["tags"])
    @fields["tags"] = tags.include?(name) ? tags : tags + [name]
  end

  def to_hash
    @fields.reject { |name, _| name == "@metadata" }
  end
end

# Logstash's date, where it reads ISO 8601 and nothing else.
class DateFilter
  ISO = /\A(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?\z/

  def initialize(settings)
    @source, *forms = settings["match"]
    raise "a form that the stand-in cannot read: #{forms}" unless forms == ["ISO8601"]
    @zone = settings["timezone"]
    @tags = settings["tag_on_failure"]
  end

  def filter(event)
    whole, fraction, offset = ISO.match(event.get(@source)).captures
    offset = offset&.sub(/(\d\d)(\d\d)\z/, '\1:\2')
    zone = java.time.ZoneId.of(offset || @zone.gsub(/%\{([^}]*)\}/) { [*event.get($1)].join(",") })
    seconds = java.time.LocalDateTime.parse(whole).atZone(zone).toEpochSecond
    milliseconds = fraction.to_s.ljust(3, "0")[0, 3]
    event.set("@timestamp", Time.at(seconds).utc.strftime("%Y-%m-%dT%H:%M:%S") + (milliseconds == "000" ? "Z" : ".#{milliseconds}Z"))
  rescue NoMethodError, java.time.DateTimeException
    @tags.each { |tag| event.tag(tag) }
  end
end

class RubyFilter
  def initialize(settings)
    @tag = settings["tag_on_exception"]
    eval(settings["init"]) if settings["init"]
    @code = eval("lambda { |event| #{settings['code']} }")
  end

  def filter(event)
    @code.call(event)
  rescue StandardError => e
    $stderr.puts("#{@tag}: #{e.class}: #{e.message} #{e.backtrace.first(3).join(' ')}")
    event.tag(@tag)
  end
end

class Pipeline
  def initialize(steps)
    @steps = steps.map { |step| step.key?("if") ? branch(step) : plugin(step) }
  end

  def branch(step)
    parts = step["if"].map { |condition, inner| [condition, Pipeline.new(inner)] } << [["always"], Pipeline.new(step["else"])]
    lambda { |event| parts.find { |condition, _| holds?(condition, event) }[1].filter(event) }
  end

  def plugin(step)
    settings = step["settings"]
    made = { "date" => DateFilter, "ruby" => RubyFilter }.fetch(step["plugin"]).new(settings)
    lambda { |event| made.filter(event) }
  end

  def holds?(condition, event)
    kind, *rest = condition
    case kind
    when "always" then true
    when "field" then ![nil, false].include?(event.get(rest[0]))
    else raise "a condition that the stand-in does not know: #{condition}"
    end
  end

  def filter(event)
    @steps.each { |step| step.call(event) }
  end
end

# a filter's code is loaded once, as in Logstash
pipelines = Hash.new { |known, steps| known[steps] = Pipeline.new(steps) }
$stdout.sync = true
$stdin.each_line do |line|
  given = JSON.parse(line.force_encoding("UTF-8"))
  if given.key?("yaml")
    require "yaml"
    done = given["yaml"].transform_values { |text| YAML.safe_load(text) }
  else
    done = given["documents"].map do |document|
      event = Event.new(document)
      pipelines[given["steps"]].filter(event)
      event.to_hash
    end
  end
  $stdout.write(JSON.generate(done) + "\n")
end
