// A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
import java.io.IOException;
import java.nio.charset.StandardCharsets;

public final class Hello {
    private static int calls = 0;

    // VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
    private static String textValue(String event) {
        return event.substring(9, event.length() - 2);
    }

    static String handle(String event) {
        if (event.startsWith("{\"name\":\"")) return "{\"message\":\"Hello, " + textValue(event) + "!\"}";
        if (event.startsWith("{\"fail\":\"")) throw new IllegalArgumentException(textValue(event));
        if (event.startsWith("{\"context\":")) {
            return "{\"request_id\":\"" + System.getenv("LAMBDA_RUNTIME_AWS_REQUEST_ID") + "\"}";
        }
        if (event.startsWith("{\"count\":")) return "{\"count\":" + ++calls + "}";
        return event;
    }

    public static void main(String[] arguments) throws IOException {
        try {
            String event = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
            System.out.write(handle(event).getBytes(StandardCharsets.UTF_8));
            System.out.flush();
        } catch (IllegalArgumentException failure) {
            for (StackTraceElement frame : failure.getStackTrace()) System.err.println(frame);
            System.err.println(failure.getClass().getSimpleName() + ": " + failure.getMessage());
            System.exit(1);
        }
    }
}
