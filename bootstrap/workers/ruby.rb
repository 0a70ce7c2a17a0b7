# The Ruby worker: loads the handler once and serves invocations as docs/worker-protocol.md says. It behaves as AWS's own
# Ruby runtime towards the handler: `app.handler` or `app.Class.method` of app.rb, called with event: and context:. An
# Enumerator is a streamed response, piece by piece.
require "json"

module OgniWorker
  # Puts what the private descriptors were moved to above what a handler closes by number, close-on-exec.
  HIGH = 900
  F_DUPFD_CLOEXEC = 1030

  MANAGED = ENV["AWS_EXECUTION_ENV"].to_s.start_with?("AWS_Lambda_ruby")
  # As AWS's own runtime ends: -4 where it cannot load or read, -2 where a response cannot be sent.
  CANNOT_LOAD = 252

  # As the platform says it, whatever a handler makes of its environment.
  FUNCTION = %w[FUNCTION_NAME FUNCTION_VERSION FUNCTION_MEMORY_SIZE LOG_GROUP_NAME LOG_STREAM_NAME].map do |name|
    ENV["AWS_LAMBDA_#{name}"]
  end

  LOGS_JSON = ENV["AWS_LAMBDA_LOG_FORMAT"].to_s.casecmp?("JSON")

  # Entries of the log as objects. What is printed stays as it is.
  module JsonLog
    class << self
      attr_accessor :request_id

      def write(entry)
        $stdout.write("#{JSON.generate(entry)}\n")
      rescue StandardError
        nil # the handler has closed or replaced it
      end

      def entry(level, message)
        { timestamp: Time.now.utc.strftime("%Y-%m-%dT%H:%M:%S.%LZ"), level: level, message: text(message),
          requestId: request_id }.compact
      end

      def error_members(error)
        { errorType: error.class.to_s, errorMessage: text(error.message), stackTrace: error.backtrace || [] }
      end

      def text(value)
        (value.is_a?(String) ? value : value.inspect).dup.force_encoding(Encoding::UTF_8).scrub
      end

      # Of the worker's own, in the format of the function.
      def warn(message)
        LOGS_JSON ? write(entry("WARN", message)) : $stdout.puts(message)
      rescue StandardError
        nil
      end

      # The least level as the Logger class names it.
      def level
        least = ENV["AWS_LAMBDA_LOG_LEVEL"].to_s.downcase
        %w[info warn error fatal].include?(least) ? least : "debug"
      end

      def format(severity, name, message)
        entry = self.entry(severity, message.is_a?(Exception) ? message.message : message)
        entry[:logger] = text(name) if name
        entry.merge!(error_members(message)) if message.is_a?(Exception)
        "#{JSON.generate(entry)}\n"
      end
    end

    # Of loggers that write to the log of the function, and have no format of their own.
    module Formats
      def initialize(device, *others, level: JsonLog.level, formatter: nil, **options)
        is_log = device.equal?($stdout) || device.equal?($stderr) || device.equal?(STDOUT) || device.equal?(STDERR)
        formatter ||= ->(severity, _, name, message) { JsonLog.format(severity, name, message) } if is_log
        super(device, *others, level: level, formatter: formatter, **options)
      end
    end

    def self.set_up
      require "logger"
      Logger.prepend(Formats)
    end
  end

  class Context
    attr_reader :aws_request_id, :invoked_function_arn, :function_name, :function_version, :memory_limit_in_mb,
                :log_group_name, :log_stream_name, :deadline_ms, :identity, :client_context, :tenant_id

    def initialize(fields)
      @aws_request_id = fields["request_id"]
      @deadline_ms = fields["deadline_ms"].to_i
      @invoked_function_arn = fields["invoked_function_arn"]
      @function_name, @function_version, @memory_limit_in_mb, @log_group_name, @log_stream_name = FUNCTION
      @identity = JSON.parse(fields["cognito_identity"]) if fields["cognito_identity"]
      @client_context = JSON.parse(fields["client_context"]) if fields["client_context"]
      @tenant_id = fields["tenant_id"]
    end

    # Of a streamed response; set by the handler.
    attr_accessor :content_type

    def get_remaining_time_in_millis
      [@deadline_ms - (Time.now.to_f * 1000).to_i, 0].max
    end
  end

  # The private pair of descriptors.
  class Channel
    attr_writer :names_request # the line of a head, once there is a request

    def initialize(requests = IO.for_fd(3, "rb"), replies = IO.for_fd(4, "wb"))
      claim
      @requests = move(requests, "rb")
      @replies = move(replies, "wb")
      @replies.sync = true
      @buffer = String.new(capacity: 65_536)
    end

    # Makes the calling process the one that answers.
    def claim
      @owner = Process.pid
    end

    def close
      @requests.close
      @replies.close
    end

    # The next request as [kind, fields, event], or nil when there will be no more.
    def receive
      data = @requests.sysread(65_536, @buffer)
      data << @requests.sysread(65_536) until (line_end = data.index("\n"))
      kind, head_bytes, body_bytes = data.byteslice(0, line_end).split(" ")
      head = line_end + 1
      body = head + head_bytes.to_i
      total = body + body_bytes.to_i
      data << @requests.sysread(total - data.bytesize) while data.bytesize < total
      fields = {}
      lines = data.byteslice(head, body - head).force_encoding(Encoding::UTF_8)
      lines.scrub! unless lines.valid_encoding?
      lines.split("\n").each do |line|
        name, value = line.split("=", 2)
        fields[name] = value
      end
      [kind, fields, data.byteslice(body, total - body)]
    rescue EOFError
      nil
    end

    def mine?
      Process.pid == @owner
    end

    def send(kind, head, body)
      exit!(0) unless mine? # a process that the handler forked and that came back: the channel is not its own
      head = "#{@names_request}#{head}"
      @replies.syswrite_all("#{kind} #{head.bytesize} #{body.bytesize}\n".b << head.b << body.b)
    end

    private

    def move(low, mode)
      [HIGH, 200, 10].each do |least|
        moved = IO.for_fd(low.fcntl(F_DUPFD_CLOEXEC, least), mode)
        low.close
        return extend_writing(moved)
      rescue SystemCallError
        next
      end
      extend_writing(low)
    end

    def extend_writing(io)
      io.define_singleton_method(:syswrite_all) do |data|
        written = syswrite(data)
        while written < data.bytesize
          data = data.byteslice(written..)
          written = syswrite(data)
        end
      end
      io
    end
  end

  class Runtime
    def initialize(channel)
      @channel = channel
    end

    def serve
      begin
        handler = load_handler(ENV.fetch("_HANDLER", ""))
      rescue Exception => e # a handler may raise anything
        fail_with("init-error", "Init", e, "Init error when loading handler ")
        exit!(CANNOT_LOAD)
      end
      @channel.send("ready", "forks=yes\nnames_requests=yes\n", "")
      while (request = @channel.receive)
        kind, *request = request
        kind == "fork" ? fork_off(*request) : serve_one(handler, *request)
      end
    end

    private

    # Returns in this process and in the new one, which is another's child and has descriptors of its own.
    def fork_off(fields, _)
      own = Channel.new(File.open(fields["requests"], "rb"), File.open(fields["replies"], "wb"))
      reading, writing = IO.pipe
      between = fork_apart(writing)
      unless between
        [@channel, reading, writing].each(&:close)
        @channel = own
        @channel.claim
        return
      end
      [own, writing].each(&:close)
      process = reading.read
      reading.close
      Process.wait(between)
      @channel.send("forked", "process=#{process}\n", "")
    rescue SystemCallError => e
      fail_with("error", "Function", e, "The worker cannot fork")
    end

    # Nil in the new process, which is the child of one that has ended; its number is written.
    def fork_apart(writing)
      between = Process.fork
      return between if between

      begin
        process = Process.fork
        return unless process

        writing.syswrite(process.to_s)
      rescue SystemCallError
        nil
      end
      exit!(0)
    end

    # AWS's own runtime wraps what is raised in one of three ways, after the place, and goes on only after some.
    def serve_one(handler, fields, event)
      ENV["_X_AMZN_TRACE_ID"] = fields["trace_id"]
      JsonLog.request_id = fields["request_id"]
      @channel.names_request = "request_id=#{fields["request_id"]}\n"
      context, event = read(fields, event)
      content_type, result = marshal(context, handler.call(event, context))
      return stream(content_type, result) if result.is_a?(Enumerator)
    rescue NameError => e
      fail_for_good("Function", e)
    rescue StandardError => e
      fail_with("error", "Function", e, "Error raised from handler method")
    rescue Exception => e # a handler may raise anything
      raise unless @channel.mine?

      fail_for_good("Function", e)
    else
      send_result(content_type, result)
    end

    def fail_for_good(stage, error)
      fail_with("error", stage, error, "Critical exception from handler", "ends=yes\n")
    end

    def read(fields, event)
      event = JSON.parse(event.force_encoding(Encoding::UTF_8)) if fields.fetch("content_type", "application/json") == "application/json"
      [Context.new(fields), event]
    rescue StandardError => e
      log_failure("Init error when loading handler ", report_of("Init", e))
      exit!(CANNOT_LOAD)
    end

    def marshal(context, result)
      return [one_line(context.content_type || "application/octet-stream"), result] if result.is_a?(Enumerator)
      return ["application/unknown", result] if result.respond_to?(:read) && result.respond_to?(:rewind)

      ["application/json", result.to_json]
    end

    def send_result(content_type, result)
      begin
        result = result.read unless result.is_a?(String)
      rescue StandardError => e
        return fail_for_good("Runtime", e)
      end
      @channel.send("result", "content_type=#{content_type}\n", result.to_s)
    end

    def stream(content_type, pieces)
      @channel.send("stream", "content_type=#{content_type}\n", "")
      pieces.each { |piece| @channel.send("chunk", "", piece.to_s) }
      @channel.send("end", "", "")
    end

    # `app.handler` is a method of the top level, `app.Class.method` one of a class. AWS's own runtime looks for them at the
    # call; where nothing has to be as there, what is missing is told at once.
    def load_handler(name)
      file, *path = names = name.split(".")
      unless [2, 3].include?(names.size)
        raise ArgumentError, "Invalid handler #{names}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where " \
                             "FILENAME corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional " \
                             "module/class namespace and METHOD is a callable method. If using CLASS, METHOD must be a " \
                             "class-level method."
      end
      root = ENV.fetch("LAMBDA_TASK_ROOT", Dir.pwd)
      $LOAD_PATH.unshift(root) unless $LOAD_PATH.include?(root)
      require file
      *classes, method = path
      own = LambdaHandler.new
      receiver = -> { classes.empty? ? own : Kernel.const_get(classes.first) }
      receiver.call.method(method) unless MANAGED
      ->(event, context) { receiver.call.__send__(method, event: event, context: context) }
    end

    def fail_with(kind, stage, error, title, more = "")
      report = report_of(stage, error)
      log_failure(title, report)
      type = one_line(report[:errorType])
      @channel.send(kind, "type=#{type}\ncontent_type=application/json\n#{more}", JSON.generate(report))
    end

    def report_of(stage, error)
      frames = (error.backtrace_locations || []).first(100).map(&:to_s)
      { errorMessage: message_of(error), errorType: "#{stage}<#{error.class}>",
        stackTrace: frames.take_while { |frame| !frame.start_with?(__FILE__) } }
    end

    def log_failure(title, report)
      return JsonLog.write(JsonLog.entry("ERROR", report[:errorMessage]).merge(report)) if LOGS_JSON

      $stdout.puts "#{title}\n#{JSON.pretty_generate(report)}"
    rescue StandardError
      nil # the handler has closed or replaced it
    end

    def message_of(error)
      # Some versions add a guess and the line of the source to it.
      message = error.respond_to?(:original_message) ? error.original_message : error.message
      message.to_s.dup.force_encoding(Encoding::UTF_8).scrub
    rescue StandardError
      "the exception has no message"
    end

    def one_line(text)
      text.to_s.tr("\r\n", "  ")
    end
  end
end

# What a handler of the top level is called on.
class LambdaHandler; end

$stdout.sync = true
$PROGRAM_NAME = "bootstrap"
IO.for_fd(5).close rescue nil # the script itself
OgniWorker::JsonLog.set_up if OgniWorker::LOGS_JSON
if (wanted = ENV["AWS_EXECUTION_ENV"].to_s[/\AAWS_Lambda_ruby(.+)/, 1]) && !RUBY_VERSION.start_with?("#{wanted}.")
  OgniWorker::JsonLog.warn("ogni: ruby#{wanted} runs on Ruby #{RUBY_VERSION}, which is the version that is here")
end
OgniWorker::Runtime.new(OgniWorker::Channel.new).serve
