# The Elixir worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
#
# `hello.handler` is handler/2 of a module of hello.ex (or hello.exs): handler(event, context). The event is a binary, the
# context a map. The response is iodata, or {content_type, iodata}. A Stream (or another lazy enumerable: a function or struct)
# in place of the iodata is a streamed response, piece by piece.
defmodule OgniWorker do
  def main do
    port = Port.open({:fd, 3, 4}, [:binary, :stream, :eof])
    {module, function} = load(port, System.get_env("_HANDLER", ""))
    send_frame(port, "ready", "", "")
    serve(port, module, function, "")
  end

  defp serve(port, module, function, data) do
    case receive_request(port, data) do
      :stop ->
        :ok

      {fields, event, rest} ->
        serve_one(port, module, function, fields, event)
        :erlang.garbage_collect()
        serve(port, module, function, rest)
    end
  end

  # The next request as {fields, event, rest}, or :stop when there will be no more.
  defp receive_request(port, data) do
    with [line, rest] <- :binary.split(data, "\n") do
      [_, head, body] = String.split(line, " ")
      receive_body(port, String.to_integer(head), String.to_integer(body), [rest], byte_size(rest))
    else
      [_] -> with more when is_binary(more) <- more(port), do: receive_request(port, data <> more)
    end
  end

  defp receive_body(port, head, body, parts, size) when size < head + body do
    with more when is_binary(more) <- more(port) do
      receive_body(port, head, body, [more | parts], size + byte_size(more))
    end
  end

  defp receive_body(_port, head, body, parts, _size) do
    <<text::binary-size(head), event::binary-size(body), rest::binary>> =
      parts |> Enum.reverse() |> IO.iodata_to_binary()

    fields =
      for line <- String.split(text, "\n", trim: true), [name, value] <- [String.split(line, "=", parts: 2)], into: %{} do
        {name, value}
      end

    {fields, event, rest}
  end

  defp more(port) do
    receive do
      {^port, {:data, data}} -> data
      {^port, :eof} -> :stop
      {:EXIT, ^port, _} -> :stop
    end
  end

  defp send_frame(port, kind, head, body) do
    sizes = "#{kind} #{IO.iodata_length(head)} #{IO.iodata_length(body)}\n"
    true = Port.command(port, [sizes, head, body])
  end

  defp refuse(port, kind, type, message, stack) do
    IO.puts(:stderr, "[ERROR] #{type}: #{printable(message)}\n#{stack}")
    head = "type=#{one_line(type)}\nmessage_bytes=#{byte_size(message)}\n"
    send_frame(port, kind, head, [message, "\n", stack])
  end

  defp printable(text) do
    if String.valid?(text), do: text, else: for(part <- String.chunk(text, :valid), into: "", do: printable_part(part))
  end

  defp printable_part(part), do: if(String.valid?(part), do: part, else: "\uFFFD")

  defp one_line(text), do: String.replace(text, ["\r", "\n"], " ")

  # A port sends in the background; it is closed only when all is written.
  defp give_up(port, type, message, stack \\ "") do
    refuse(port, "init-error", type, message, stack)
    Port.close(port)
    System.halt(1)
  end

  defp load(port, name) do
    case Regex.run(~r/^(.+)\.([^.]+)$/, name) do
      [_, file, function] -> load(port, file, String.to_atom(function))
      nil -> give_up(port, "Runtime.MalformedHandlerName", "Bad handler '#{name}': it is no script.function")
    end
  end

  defp load(port, file, function) do
    base = Path.join(System.get_env("LAMBDA_TASK_ROOT", "."), file)
    path = Enum.find([base <> ".ex", base <> ".exs"], &File.regular?/1)
    path || give_up(port, "Runtime.ImportModuleError", "Unable to load '#{file}': there is no #{base}.ex")

    modules =
      try do
        Code.compile_file(path)
      rescue
        error ->
          syntax = [SyntaxError, TokenMissingError, CompileError]
          type = if error.__struct__ in syntax, do: "Runtime.UserCodeSyntaxError", else: inspect(error.__struct__)
          give_up(port, type, Exception.message(error), Exception.format_stacktrace(__STACKTRACE__))
      end

    case Enum.find(modules, fn {module, _} -> function_exported?(module, function, 2) end) do
      {module, _} -> {module, function}
      nil -> give_up(port, "Runtime.HandlerNotFound", "Handler '#{function}' is no function of a module of #{path}")
    end
  end

  defp serve_one(port, module, function, fields, event) do
    case fields do
      %{"trace_id" => trace} -> true = :os.putenv('_X_AMZN_TRACE_ID', native(trace))
      _ -> System.delete_env("_X_AMZN_TRACE_ID")
    end

    try do
      with {head, {:stream, pieces}} <- answer(apply(module, function, [event, context(fields)])) do
        send_frame(port, "stream", head, "")
        Enum.each(pieces, &send_frame(port, "chunk", "", body(&1)))
        {"end", "", ""}
      end
    catch
      kind, reason ->
        error = Exception.normalize(kind, reason, __STACKTRACE__)
        refuse(port, "error", type_of(kind, error), message_of(kind, error), frames(__STACKTRACE__))
    else
      {head, body} -> send_frame(port, "result", head, body)
      {kind, head, body} -> send_frame(port, kind, head, body)
    end
  end

  # The environment takes characters of the locale: of one without UTF-8 that is bytes.
  defp native(text) do
    case {:file.native_name_encoding(), :unicode.characters_to_list(text)} do
      {:utf8, characters} when is_list(characters) -> characters
      _ -> :binary.bin_to_list(text)
    end
  end

  defp answer({type, body}) when is_binary(type), do: {"content_type=#{one_line(type)}\n", body(body)}
  defp answer(body), do: {"", body(body)}

  defp body(nil), do: ""
  defp body(pieces) when is_function(pieces, 2), do: {:stream, pieces}
  defp body(pieces) when is_struct(pieces), do: if(Enumerable.impl_for(pieces), do: {:stream, pieces}, else: to_string(pieces))
  defp body(list) when is_list(list), do: IO.iodata_to_binary(list)
  defp body(value), do: to_string(value)

  defp type_of(:error, error), do: inspect(error.__struct__)
  defp type_of(kind, _), do: Atom.to_string(kind)

  defp message_of(:error, error), do: Exception.message(error)
  defp message_of(_, reason), do: inspect(reason)

  defp frames(stack) do
    stack |> Enum.reject(fn {module, _, _, _} -> module == __MODULE__ end) |> Enum.take_while(&handler_frame?/1)
    |> Enum.map_join("\n", &Exception.format_stacktrace_entry/1)
  end

  defp handler_frame?({module, _, _, _}), do: module not in [:elixir_compiler_0, :elixir_compiler, :elixir_lexical]

  defp context(fields) do
    deadline = String.to_integer(Map.get(fields, "deadline_ms", "0"))

    %{
      aws_request_id: fields["request_id"],
      deadline_ms: deadline,
      remaining_time_in_millis: fn -> max(0, deadline - System.os_time(:millisecond)) end,
      invoked_function_arn: fields["invoked_function_arn"],
      trace_id: fields["trace_id"],
      client_context: fields["client_context"],
      identity: fields["cognito_identity"],
      tenant_id: fields["tenant_id"],
      content_type: fields["content_type"],
      function_name: System.get_env("AWS_LAMBDA_FUNCTION_NAME"),
      function_version: System.get_env("AWS_LAMBDA_FUNCTION_VERSION"),
      memory_limit_in_mb: System.get_env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
      log_group_name: System.get_env("AWS_LAMBDA_LOG_GROUP_NAME"),
      log_stream_name: System.get_env("AWS_LAMBDA_LOG_STREAM_NAME")
    }
  end
end

OgniWorker.main()
