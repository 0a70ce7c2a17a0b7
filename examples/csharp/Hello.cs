// A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
using System;
using System.IO;
using System.Text;

static class Hello
{
    static int calls = 0;

    // VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
    static string TextValue(string e) => e.Substring(9, e.Length - 11);

    static string Handle(string e)
    {
        if (e.StartsWith("{\"name\":\"", StringComparison.Ordinal)) return $"{{\"message\":\"Hello, {TextValue(e)}!\"}}";
        if (e.StartsWith("{\"fail\":\"", StringComparison.Ordinal)) throw new ArgumentException(TextValue(e));
        if (e.StartsWith("{\"context\":", StringComparison.Ordinal))
            return $"{{\"request_id\":\"{Environment.GetEnvironmentVariable("LAMBDA_RUNTIME_AWS_REQUEST_ID")}\"}}";
        if (e.StartsWith("{\"count\":", StringComparison.Ordinal)) return $"{{\"count\":{++calls}}}";
        return e;
    }

    static int Main()
    {
        var utf8 = new UTF8Encoding(false);
        using (var input = new StreamReader(Console.OpenStandardInput(), utf8))
        using (var output = new StreamWriter(Console.OpenStandardOutput(), utf8))
        {
            try
            {
                output.Write(Handle(input.ReadToEnd()));
                return 0;
            }
            catch (ArgumentException failure)
            {
                Console.Error.WriteLine($"{failure.StackTrace}\n{failure.GetType().Name}: {failure.Message}");
                return 1;
            }
        }
    }
}
