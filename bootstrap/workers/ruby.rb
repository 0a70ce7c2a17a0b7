# The Ruby worker: loads the handler once and serves invocations as docs/worker-protocol.md says. It behaves as AWS's own
# Ruby runtime towards the handler: `app.handler` or `app.Class.method` of app.rb, called with event: and context:. An
# Enumerator is a streamed response, piece by piece.
require "json"

module OgniWorker
  # Puts what the private descriptors were moved to above what a handler closes by number, close-on-exec.
  HIGH = 900
  F_DUPFD_CLOEXEC = 1030

  # A failure that is the runtime's to name, not an exception of the handler.
  class Fault < StandardError
    attr_reader :type

    def initialize(type, message)
      super(message)
      @type = type
    end
  end

  # As the platform says it, whatever a handler makes of its environment.
  FUNCTION = %w[FUNCTION_NAME FUNCTION_VERSION FUNCTION_MEMORY_SIZE LOG_GROUP_NAME LOG_STREAM_NAME].map do |name|
    ENV["AWS_LAMBDA_#{name}"]
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
    rescue JSON::ParserError => e
      raise Fault.new("Runtime.LambdaContextUnmarshalError", "Unable to parse the context: #{e.message}")
    end

    # Of a streamed response; set by the handler.
    attr_accessor :content_type

    def get_remaining_time_in_millis
      [@deadline_ms - (Time.now.to_f * 1000).to_i, 0].max
    end
  end

  # The private pair of descriptors.
  class Channel
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

    def send(kind, head, body)
      exit!(0) if Process.pid != @owner # a process that the handler forked and that came back: the channel is not its own
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
      rescue SystemExit, SignalException
        raise
      rescue Exception => e # a handler may raise anything
        fail_with("init-error", e, "Init")
        exit!(1)
      end
      @channel.send("ready", "forks=yes\n", "")
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
      fail_with("error", e, "Function")
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

    def serve_one(handler, fields, event)
      ENV["_X_AMZN_TRACE_ID"] = fields["trace_id"]
      content_type, result = call(handler, fields, event)
      return stream(content_type, result) if result.is_a?(Enumerator)
    rescue SystemExit, SignalException
      raise
    rescue Exception => e # a handler may raise anything
      fail_with("error", e, "Function")
    else
      @channel.send("result", "content_type=#{content_type}\n", result)
    end

    def call(handler, fields, event)
      context = Context.new(fields)
      event = parse(event) if fields.fetch("content_type", "application/json") == "application/json"
      result = handler.call(event: event, context: context)
      return [one_line(context.content_type || "application/octet-stream"), result] if result.is_a?(Enumerator)
      return ["application/unknown", result.read] if result.respond_to?(:read) && result.respond_to?(:rewind)

      begin
        ["application/json", JSON.dump(result)]
      rescue StandardError => e
        raise Fault.new("Runtime.MarshalError", "Unable to marshal response: #{e.message}")
      end
    end

    def stream(content_type, pieces)
      @channel.send("stream", "content_type=#{content_type}\n", "")
      pieces.each { |piece| @channel.send("chunk", "", piece.to_s) }
      @channel.send("end", "", "")
    end

    def parse(event)
      JSON.parse(event.force_encoding(Encoding::UTF_8))
    rescue JSON::ParserError => e
      raise Fault.new("Runtime.UnmarshalError", "Unable to unmarshal input: #{e.message}")
    end

    # `app.handler` is a method of the top level, `app.Class.method` one of a class.
    def load_handler(name)
      file, *names = name.split(".")
      unless file && [1, 2].include?(names.size)
        raise Fault.new("Runtime.MalformedHandlerName", "Invalid handler #{name}, must be of form FILENAME.METHOD or " \
                                                        "FILENAME.CLASS.METHOD where FILENAME corresponds with an " \
                                                        "existing Ruby source file FILENAME.rb")
      end
      root = ENV.fetch("LAMBDA_TASK_ROOT", Dir.pwd)
      $LOAD_PATH.unshift(root)
      require File.join(root, file)
      receiver = names.size == 2 ? Object.const_get(names.first) : TOPLEVEL_BINDING.receiver
      receiver.method(names.last)
    rescue NameError => e
      raise unless names && e.name.to_s == names.last

      raise Fault.new("Runtime.HandlerNotFound", "Handler '#{names.last}' is no method of #{file}.rb")
    end

    def fail_with(kind, error, stage)
      type = error.is_a?(Fault) ? error.type : "#{stage}<#{error.class}>"
      trace = (error.backtrace || []).reject { |line| line.start_with?(__FILE__) }
      message = message_of(error)
      begin
        $stdout.puts "[ERROR] #{type}: #{message}", trace.map { |line| "\tfrom #{line}" }
      rescue StandardError
        nil # the handler has closed or replaced it
      end
      report = { errorMessage: message, errorType: type, stackTrace: error.is_a?(Fault) ? [] : trace }
      @channel.send(kind, "type=#{one_line(type)}\ncontent_type=application/json\n", JSON.generate(report))
    end

    def message_of(error)
      error.message.to_s.dup.force_encoding(Encoding::UTF_8).scrub
    rescue StandardError
      "the exception has no message"
    end

    def one_line(text)
      text.to_s.tr("\r\n", "  ")
    end
  end
end

$stdout.sync = true
$PROGRAM_NAME = "bootstrap"
IO.for_fd(5).close rescue nil # the script itself
OgniWorker::Runtime.new(OgniWorker::Channel.new).serve
