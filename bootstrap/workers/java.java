// The Java worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
//
// `example.Hello::handle` (or `example.Hello`, whose method is handleRequest; or `Hello.handle` of Hello.java, compiled at
// start) is a method (event), (event, context) or (InputStream, OutputStream[, context]), static or not. Classes come from the
// task root, its lib/*.jar and /opt/java/lib/*.jar. As in AWS's own runtime the event becomes what the method takes: a String,
// number, Map, List, record, or a class with setters or public fields; the context is whatever interface the method names (that
// of aws-lambda-java-core), or a Map. Its responseStream(type), in a Map a Function, is an OutputStream for a streamed response:
// what is written goes out at each flush(), and what the method returns is then ignored.
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.StringWriter;
import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Proxy;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

final class OgniWorker {
    /** A failure that is the runtime's to name, not an exception of the handler. */
    static final class Fault extends RuntimeException {
        final String type;    // null: it has none
        final boolean isLate;  // AWS's own runtime tells it at each call, and not when it starts

        Fault(String type, String message) {
            this(type, message, null, false);
        }

        Fault(String type, String message, Throwable cause, boolean isLate) {
            super(message, cause, false, false);
            this.type = type;
            this.isLate = isLate;
        }

        static Fault late(String type, String message, Throwable cause) {
            return new Fault(type, message, cause, true);
        }
    }

    private static final boolean MANAGED = variable("AWS_EXECUTION_ENV", "").startsWith("AWS_Lambda_java");

    private final DataInputStream requests;
    private final OutputStream replies;
    private Map<String, String> running;  // the fields of the invocation that runs
    private ResponseStream stream;        // of its response, where that streams
    private Fault late;                   // that each call is answered with
    private Object instance;
    private Method method;
    private Type[] types;        // of its parameters
    private Class<?>[] classes;  // the same

    private OgniWorker() throws Exception {
        requests = new DataInputStream(new BufferedInputStream(new FileInputStream("/dev/fd/3")));
        replies = new FileOutputStream("/dev/fd/4");
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8));
        Log.tellVersion();
        OgniWorker worker = new OgniWorker();
        try {
            worker.load(variable("_HANDLER", ""));
        } catch (Throwable error) {
            if (MANAGED && error instanceof Fault fault && fault.isLate) {
                worker.late = fault;
            } else {
                worker.fail("init-error", error, "");
                System.exit(1);
            }
        }
        worker.send("ready", "", new byte[0]);
        worker.serve();
        System.exit(0);
    }

    // --- the protocol ----------------------------------------------------------------------------------------------

    private void serve() throws Exception {
        while (true) {
            int[] sizes = new int[3];  // of the kind, the head and the event; the first is none
            int word = 0;
            for (int c = requests.read(); c != '\n'; c = requests.read()) {
                if (c < 0) return;
                if (c == ' ') ++word;
                else if (word > 0) sizes[word] = sizes[word] * 10 + c - '0';
            }
            byte[] bytes = new byte[sizes[1]];
            requests.readFully(bytes);
            byte[] event = new byte[sizes[2]];
            requests.readFully(event);
            String head = new String(bytes, StandardCharsets.UTF_8);
            Map<String, String> fields = new HashMap<>();
            for (int at = 0, end; (end = head.indexOf('\n', at)) >= 0; at = end + 1) {
                int equals = head.indexOf('=', at);
                if (at < equals && equals < end) fields.put(head.substring(at, equals), head.substring(equals + 1, end));
            }
            serveOne(fields, event);
        }
    }

    private void serveOne(Map<String, String> fields, byte[] event) throws Exception {
        setTrace(fields.get("trace_id"));
        begin(fields);
        byte[] result;
        String type = "application/json";
        try {
            Object answer = call(fields, event);
            ResponseStream streamed = finish();
            if (streamed != null) {
                streamed.end();
                return;
            }
            if (answer instanceof byte[] bytes) {
                result = bytes;
                type = "application/octet-stream";
            } else {
                result = json(answer);
            }
        } catch (Throwable error) {
            ResponseStream streamed = finish();
            if (streamed != null) streamed.abandon();
            if (error instanceof InvocationTargetException && error.getCause() != null) error = error.getCause();
            // As AWS's own runtime: what the machine cannot bear ends it.
            boolean ends = error instanceof VirtualMachineError || error instanceof java.io.IOError;
            fail("error", error, ends ? "ends=yes\n" : "");
            return;
        }
        send("result", "content_type=" + type + "\n", result);
    }

    private static byte[] json(Object answer) {
        try {
            return Json.write(answer).getBytes(StandardCharsets.UTF_8);
        } catch (Throwable error) {
            throw new RuntimeException("An error occurred during JSON serialization of response", error);
        }
    }

    /** A response that goes out piece by piece; what is written after its invocation has ended is refused. */
    private final class ResponseStream extends OutputStream {
        private static final int PIECE_BYTES_MAX = 64 * 1024;
        private final String type;
        private final ByteArrayOutputStream piece = new ByteArrayOutputStream();
        private boolean begun;
        private boolean ended;

        ResponseStream(String type) {
            this.type = type;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
            if (ended) throw new IOException("the response has ended");
            piece.write(bytes, offset, length);
            if (piece.size() >= PIECE_BYTES_MAX) flush();
        }

        @Override
        public synchronized void flush() throws IOException {
            if (piece.size() > 0 && !ended) pass(begun ? "chunk" : "stream");
        }

        /** Closes the stream to all writers, and says that it is complete. */
        synchronized void end() throws IOException {
            if (!begun) pass("stream");
            pass("end");
            ended = true;
        }

        /** As end(), but what has been written is not all. */
        synchronized void abandon() throws IOException {
            flush();
            ended = true;
        }

        private void pass(String kind) throws IOException {
            send(kind, begun ? "" : "content_type=" + type.replaceAll("[\r\n]", " ") + "\n", piece.toByteArray());
            begun = true;
            piece.reset();
        }
    }

    private synchronized void begin(Map<String, String> fields) {
        running = fields;
    }

    /** From here on no thread can make it a streamed response. */
    private synchronized ResponseStream finish() {
        ResponseStream streamed = stream;
        running = null;
        stream = null;
        return streamed;
    }

    /** The same stream each time that one invocation asks. */
    private synchronized OutputStream responseStream(String type, Map<String, String> fields) {
        if (fields != running) throw new IllegalStateException("the invocation has ended");
        if (stream == null) stream = new ResponseStream(type);
        return stream;
    }

    private void send(String kind, String head, byte[] body) throws IOException {
        byte[] headBytes = head.getBytes(StandardCharsets.UTF_8);
        byte[] line = (kind + " " + headBytes.length + " " + body.length + "\n").getBytes(StandardCharsets.US_ASCII);
        byte[] frame = Arrays.copyOf(line, line.length + headBytes.length + body.length);
        System.arraycopy(headBytes, 0, frame, line.length, headBytes.length);
        System.arraycopy(body, 0, frame, line.length + headBytes.length, body.length);
        replies.write(frame);
    }

    private void fail(String kind, Throwable error, String more) throws Exception {
        cut(error, new java.util.HashSet<>());
        Map<String, Object> report = describe(error, 0);
        String type = String.valueOf(report.getOrDefault("errorType", ""));
        if (Log.JSON) {
            Map<String, Object> entry = Log.entry(String.valueOf(report.get("errorMessage")), "ERROR", running);
            report.forEach(entry::putIfAbsent);
            System.err.println(Json.write(entry));
        } else {
            System.err.print(textOf(error, report));
        }
        byte[] body = Json.write(report).getBytes(StandardCharsets.UTF_8);
        send(kind, "type=" + type.replaceAll("[\r\n]", " ") + "\ncontent_type=application/json\n" + more, body);
    }

    /** What is logged: message and type, and the stack trace as Java prints it. */
    private static String textOf(Throwable error, Map<String, Object> report) {
        Throwable traced = error instanceof Fault && error.getCause() != null ? error.getCause() : error;
        if (!report.containsKey("errorType")) return report.get("errorMessage") + "\n";
        StringWriter text = new StringWriter();
        text.append(report.get("errorMessage") + ": " + report.get("errorType") + "\n");
        if (!(traced instanceof Fault)) traced.printStackTrace(new java.io.PrintWriter(text, true));
        return text + "\n";
    }

    /** Takes the frames of this worker away, and those by which it has called, from an error and its causes. */
    private static void cut(Throwable error, java.util.Set<Throwable> done) {
        if (error == null || !done.add(error)) return;
        List<StackTraceElement> stack = new ArrayList<>();
        for (StackTraceElement frame : error.getStackTrace()) {
            if (frame.getClassName().startsWith("OgniWorker")) break;
            stack.add(frame);
        }
        // A language's own calls by reflection further in stay.
        while (!stack.isEmpty() && stack.get(stack.size() - 1).toString().contains(".reflect.")) stack.remove(stack.size() - 1);
        error.setStackTrace(stack.toArray(StackTraceElement[]::new));
        cut(error.getCause(), done);
        for (Throwable suppressed : error.getSuppressed()) cut(suppressed, done);
    }

    private static final int CAUSES_MAX = 100;

    private static Map<String, Object> describe(Throwable error, int depth) {
        Map<String, Object> report = new LinkedHashMap<>();
        String message = error.getLocalizedMessage();
        report.put("errorMessage", message == null ? error.getClass().getName() : message);
        if (error instanceof Fault fault) {
            if (fault.type != null) report.put("errorType", fault.type);
            return report;
        }
        report.put("errorType", error.getClass().getName());
        report.put("stackTrace", Arrays.stream(error.getStackTrace()).map(StackTraceElement::toString).toList());
        if (error.getCause() != null && depth < CAUSES_MAX) report.put("cause", describe(error.getCause(), depth + 1));
        return report;
    }

    static String variable(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null ? otherwise : value;
    }

    /** Java has no way to change its environment but the field that it keeps it in. Null: there is no such field. */
    private static final Map<String, String> ENVIRONMENT = changeableEnvironment();

    @SuppressWarnings("unchecked")
    private static Map<String, String> changeableEnvironment() {
        try {
            var field = System.getenv().getClass().getDeclaredField("m");
            field.setAccessible(true);
            return (Map<String, String>) field.get(System.getenv());
        } catch (ReflectiveOperationException | RuntimeException error) {
            return null;  // AWS's SDK reads the property
        }
    }

    private static void setTrace(String trace) {
        if (trace == null) {
            if (ENVIRONMENT != null) ENVIRONMENT.remove("_X_AMZN_TRACE_ID");
            System.clearProperty("com.amazonaws.xray.traceHeader");
        } else {
            if (ENVIRONMENT != null) ENVIRONMENT.put("_X_AMZN_TRACE_ID", trace);
            System.setProperty("com.amazonaws.xray.traceHeader", trace);
        }
    }

    // --- the handler -----------------------------------------------------------------------------------------------

    private void load(String name) throws Exception {
        String className = name;
        String methodName = "handleRequest";
        int colons = name.lastIndexOf("::");
        Path root = Path.of(variable("LAMBDA_TASK_ROOT", "."));
        if (colons >= 0) {
            className = name.substring(0, colons);
            methodName = name.substring(colons + 2);
        }
        if (className.isEmpty() || methodName.isEmpty()) {
            throw Fault.late(MANAGED ? null : "Runtime.MalformedHandlerName", "Invalid handler: `" + name + "'", null);
        }
        List<URL> path = new ArrayList<>(List.of(root.toUri().toURL()));
        for (Path folder : List.of(root, root.resolve("lib"), Path.of("/opt/java/lib"))) addArchives(folder, path);
        ClassLoader loader = new URLClassLoader(path.toArray(URL[]::new), OgniWorker.class.getClassLoader());
        Class<?> type = find(className, loader, root, path);
        int dot = name.lastIndexOf('.');
        if (type == null && colons < 0 && dot > 0) {  // Hello.handle
            className = name.substring(0, dot);
            methodName = name.substring(dot + 1);
            type = find(className, loader, root, path);
        }
        if (type == null) {
            className = colons < 0 ? name : className;
            throw Fault.late("java.lang.ClassNotFoundException", "Class not found: " + className, null);
        }
        Thread.currentThread().setContextClassLoader(type.getClassLoader());
        try {
            Class.forName(type.getName(), true, type.getClassLoader());
        } catch (Throwable error) {
            cut(error, new java.util.HashSet<>());
            String message = "Error loading class " + className + (error.getMessage() == null ? "" : ": " + error.getMessage());
            throw new Fault(error.getClass().getName(), message, error, error instanceof NoClassDefFoundError);
        }
        method = findMethod(type, methodName);
        method.setAccessible(true);
        types = method.getGenericParameterTypes();
        classes = method.getParameterTypes();
        if (!Modifier.isStatic(method.getModifiers())) {
            var constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            try {
                instance = constructor.newInstance();
            } catch (InvocationTargetException thrown) {
                Throwable error = thrown.getCause();
                String message = error.getLocalizedMessage();
                throw new Fault(error.getClass().getName(), message == null ? error.getClass().getName() : message, error, false);
            }
        }
    }

    private static void addArchives(Path folder, List<URL> path) throws Exception {
        if (!Files.isDirectory(folder)) return;
        try (var files = Files.list(folder)) {
            for (Path file : files.filter(f -> f.toString().endsWith(".jar")).sorted().toList()) path.add(file.toUri().toURL());
        }
    }

    /** The class, compiled from its source where there is only that; null where there is neither. */
    private static Class<?> find(String name, ClassLoader loader, Path root, List<URL> path) throws Exception {
        try {
            return Class.forName(name, false, loader);
        } catch (ClassNotFoundException | NoClassDefFoundError missing) {
            Path source = root.resolve(name.replace('.', '/') + ".java");
            if (!Files.isRegularFile(source)) return null;
            return Class.forName(name, false, compile(source, root, path));
        }
    }

    private static ClassLoader compile(Path source, Path root, List<URL> path) throws Exception {
        var compiler = javax.tools.ToolProvider.getSystemJavaCompiler();
        if (compiler == null) throw new Fault("Runtime.InvalidEntrypoint", "this Java has no compiler for " + source);
        Path output = Files.createTempDirectory(Path.of(variable("TMPDIR", System.getProperty("java.io.tmpdir"))), "ogni-java-");
        var messages = new StringWriter();
        List<String> options = List.of("-d", output.toString(), "-g", "-encoding", "UTF-8", "-sourcepath", root.toString(), "-cp",
            String.join(":", path.stream().map(URL::getPath).toList()));
        try (var files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8)) {
            boolean good = compiler.getTask(messages, files, null, options, null, files.getJavaFileObjects(source)).call();
            if (!good) throw new Fault("Runtime.UserCodeSyntaxError", messages.toString().strip());
        } catch (Throwable error) {
            take(output);
            throw error;
        }
        return new Compiled(take(output), path);
    }

    /** The classes in a folder by their names; the folder is gone then. */
    private static Map<String, byte[]> take(Path folder) throws Exception {
        Map<String, byte[]> classes = new HashMap<>();
        try (var files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                if (file.toString().endsWith(".class")) {
                    String name = folder.relativize(file).toString().replace('/', '.');
                    classes.put(name.substring(0, name.length() - ".class".length()), Files.readAllBytes(file));
                }
                Files.delete(file);
            }
        }
        return classes;
    }

    /** Defines what was compiled here, before anything of that name in the archives. */
    private static final class Compiled extends URLClassLoader {
        private final Map<String, byte[]> classes;

        Compiled(Map<String, byte[]> classes, List<URL> path) {
            super(path.toArray(URL[]::new), OgniWorker.class.getClassLoader());
            this.classes = classes;
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            byte[] bytes = classes.get(name);
            return bytes == null ? super.findClass(name) : defineClass(name, bytes, 0, bytes.length);
        }
    }

    /** Of methods of one name the one with most parameters, a context last; bridges of generic interfaces do not count. */
    private static Method findMethod(Class<?> type, String name) {
        for (Class<?> at = type; at != null && at != Object.class; at = at.getSuperclass()) {
            var found = Arrays.stream(at.getDeclaredMethods())
                .filter(m -> m.getName().equals(name) && !m.isBridge() && m.getParameterCount() <= 3)
                .max(Comparator.comparingInt(Method::getParameterCount));
            if (found.isPresent()) return found.get();
        }
        throw Fault.late(MANAGED ? null : "Runtime.HandlerNotFound", "No public method named " + name
            + " with appropriate method signature found on class " + type.getName(), null);
    }

    private Object call(Map<String, String> fields, byte[] event) throws Exception {
        if (late != null) throw late;
        Object[] arguments = new Object[types.length];
        boolean json = fields.getOrDefault("content_type", "application/json").equals("application/json");
        ByteArrayOutputStream written = null;
        for (int i = 0; i < types.length; ++i) {
            if (classes[i] == OutputStream.class) arguments[i] = written = new ByteArrayOutputStream();
            else if (classes[i] == InputStream.class) arguments[i] = new ByteArrayInputStream(event);
            else if (i == types.length - 1 && i > 0) arguments[i] = Context.make(classes[i], fields, type -> responseStream(type, fields));
            else if (classes[i] == byte[].class) arguments[i] = event;
            else if (!json && classes[i].isAssignableFrom(byte[].class)) arguments[i] = event;
            else arguments[i] = bind(event, types[i]);
        }
        Object result = method.invoke(instance, arguments);
        return written != null ? written.toByteArray() : result;
    }

    private static Object bind(byte[] event, Type type) {
        try {
            return Json.bind(new Json(new String(event, StandardCharsets.UTF_8)).read(), type);
        } catch (Throwable error) {
            throw new RuntimeException("An error occurred during JSON parsing", error);
        }
    }

    // --- the log ---------------------------------------------------------------------------------------------------

    /** What a handler says to the context's logger, as AWS's own runtime writes it. */
    private static final class Log {
        static final boolean JSON = variable("AWS_LAMBDA_LOG_FORMAT", "").equalsIgnoreCase("JSON");
        private static final List<String> LEVELS = List.of("UNDEFINED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL");
        private static final int LEAST = LEVELS.indexOf(variable("AWS_LAMBDA_LOG_LEVEL", "").toUpperCase());

        /** `values`: of a context. Bytes are written as they are. */
        static void log(Object message, String level, Map<String, Object> values) {
            if (!level.equals("UNDEFINED") && LEVELS.indexOf(level) < LEAST) return;
            if (message instanceof byte[] bytes) {
                System.out.write(bytes, 0, bytes.length);
                System.out.flush();
            } else if (JSON) {
                Map<String, String> fields = new HashMap<>();
                fields.put("request_id", (String) values.get("awsRequestId"));
                fields.put("tenant_id", (String) values.get("tenantId"));
                System.out.print(Json.write(entry(String.valueOf(message), level, fields)) + "\n");
            } else {
                System.out.print(level.equals("UNDEFINED") ? String.valueOf(message) : "[" + level + "] " + message);
            }
        }

        /** Where the runtime's name says another version than this one. */
        static void tellVersion() {
            String name = variable("AWS_EXECUTION_ENV", "").replace("AWS_Lambda_", "");
            String wanted = name.startsWith("java") ? name.substring(4).replaceAll("[^0-9].*", "") : "";
            if (wanted.isEmpty() || wanted.equals(String.valueOf(Runtime.version().feature()))) return;
            String message = "ogni: " + name + " runs on Java " + Runtime.version().feature() + ", which is the version that is here";
            System.out.println(JSON ? Json.write(entry(message, "WARN", null)) : message);
        }

        /** `fields`: of an invocation; null: there is none. */
        static Map<String, Object> entry(String message, String level, Map<String, String> fields) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("timestamp", java.time.Instant.now().truncatedTo(java.time.temporal.ChronoUnit.MILLIS).toString());
            entry.put("message", message);
            entry.put("level", level);
            if (fields != null) {
                entry.put("AWSRequestId", fields.get("request_id"));
                if (fields.get("tenant_id") != null) entry.put("tenantId", fields.get("tenant_id"));
            }
            return entry;
        }
    }

    // --- the context -----------------------------------------------------------------------------------------------

    /** Answers whatever interface the handler's class knows by the names of its methods. */
    private static final class Context {
        private static final Map<String, Object> OF_FUNCTION = new LinkedHashMap<>();

        static {
            OF_FUNCTION.put("functionName", System.getenv("AWS_LAMBDA_FUNCTION_NAME"));
            OF_FUNCTION.put("functionVersion", System.getenv("AWS_LAMBDA_FUNCTION_VERSION"));
            OF_FUNCTION.put("memoryLimitInMB", Integer.parseInt(variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")));
            OF_FUNCTION.put("logGroupName", System.getenv("AWS_LAMBDA_LOG_GROUP_NAME"));
            OF_FUNCTION.put("logStreamName", System.getenv("AWS_LAMBDA_LOG_STREAM_NAME"));
        }

        static Object make(Class<?> type, Map<String, String> fields, Function<String, OutputStream> stream) {
            long deadline = Long.parseLong(fields.getOrDefault("deadline_ms", "0"));
            Map<String, Object> values = new LinkedHashMap<>(OF_FUNCTION);
            values.put("awsRequestId", fields.get("request_id"));
            values.put("invokedFunctionArn", fields.get("invoked_function_arn"));
            values.put("tenantId", fields.get("tenant_id"));
            values.put("deadlineMs", deadline);
            values.put("responseStream", stream);
            values.put("clientContext", parsed(fields.get("client_context")));
            values.put("identity", parsed(fields.get("cognito_identity")));
            if (type.isAssignableFrom(LinkedHashMap.class)) {
                values.put("remainingTimeInMillis", Math.max(0, deadline - System.currentTimeMillis()));
                return values;
            }
            if (values.get("identity") == null) values.put("identity", Map.of());
            return proxy(type, values, deadline);
        }

        private static Object parsed(String text) {
            try {
                return text == null ? null : new Json(text).read();
            } catch (IllegalArgumentException error) {
                throw new Fault("Runtime.LambdaContextUnmarshalError", "Cannot parse the context: " + error.getMessage());
            }
        }

        @SuppressWarnings("unchecked")
        private static Object proxy(Class<?> type, Map<String, Object> values, long deadline) {
            if (!type.isInterface()) throw new Fault("Runtime.HandlerNotFound", "a context cannot be a " + type.getName());
            return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, called, arguments) -> {
                String name = called.getName();
                if (name.equals("toString")) return values.toString();
                if (name.equals("hashCode")) return System.identityHashCode(values);
                if (name.equals("equals")) return self == arguments[0];
                if (name.equals("log")) {
                    Log.log(arguments[0], arguments.length > 1 ? String.valueOf(arguments[1]) : "UNDEFINED", values);
                    return null;
                }
                if (name.equals("responseStream") && values.get(name) instanceof Function<?, ?> stream) {
                    return ((Function<String, OutputStream>) stream).apply((String) arguments[0]);
                }
                if (name.equals("getLogger")) return proxy(called.getReturnType(), values, deadline);
                if (name.equals("getRemainingTimeInMillis")) return (int) Math.max(0, deadline - System.currentTimeMillis());
                String key = name.startsWith("get") ? name.substring(3, 4).toLowerCase() + name.substring(4) : name;
                Object value = values.get(Map.of("environment", "env", "identityId", "cognitoIdentityId", "identityPoolId",
                    "cognitoIdentityPoolId").getOrDefault(key, key));
                if (value instanceof Map<?, ?> map && !called.getReturnType().isInstance(map)) {
                    return proxy(called.getReturnType(), (Map<String, Object>) map, deadline);
                }
                return value;
            });
        }
    }

    // --- JSON ------------------------------------------------------------------------------------------------------

    /** Java's library has none. */
    static final class Json {
        private static final int DEPTH_MAX = 512;
        private final String text;
        private int at = 0;
        private int depth = 0;

        Json(String text) {
            this.text = text;
        }

        Object read() {
            Object value = value();
            blanks();
            if (at != text.length()) throw wrong("the end of the text");
            return value;
        }

        private IllegalArgumentException wrong(String wanted) {
            return new IllegalArgumentException(wanted + " was expected at character " + at);
        }

        private void blanks() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) ++at;
        }

        private boolean take(char c) {
            blanks();
            if (at >= text.length() || text.charAt(at) != c) return false;
            ++at;
            return true;
        }

        private Object value() {
            blanks();
            if (at >= text.length()) throw wrong("a value");
            char c = text.charAt(at);
            if (c == '"') return string();
            if (c == '{' || c == '[') {
                if (++depth > DEPTH_MAX) throw wrong("less nesting");
                ++at;
                Object value = c == '{' ? object() : array();
                --depth;
                return value;
            }
            for (String word : List.of("true", "false", "null")) {
                if (text.startsWith(word, at)) {
                    at += word.length();
                    return word.equals("null") ? null : (Object) word.equals("true");
                }
            }
            return number();
        }

        private Map<String, Object> object() {
            Map<String, Object> map = new LinkedHashMap<>();
            if (take('}')) return map;
            do {
                blanks();
                if (at >= text.length() || text.charAt(at) != '"') throw wrong("a name");
                String name = string();
                if (!take(':')) throw wrong("a colon");
                map.put(name, value());
            } while (take(','));
            if (!take('}')) throw wrong("a brace");
            return map;
        }

        private List<Object> array() {
            List<Object> list = new ArrayList<>();
            if (take(']')) return list;
            do list.add(value()); while (take(','));
            if (!take(']')) throw wrong("a bracket");
            return list;
        }

        private String string() {
            int start = ++at;
            while (at < text.length() && text.charAt(at) != '"' && text.charAt(at) != '\\' && text.charAt(at) >= ' ') ++at;
            if (at < text.length() && text.charAt(at) == '"') return text.substring(start, at++);
            StringBuilder result = new StringBuilder(text.substring(start, at));
            while (true) {
                if (at >= text.length() || text.charAt(at) < ' ') throw wrong("a quote");
                char c = text.charAt(at++);
                if (c == '"') return result.toString();
                if (c != '\\') {
                    result.append(c);
                    continue;
                }
                int kind = at < text.length() ? "\"\\/bfnrtu".indexOf(text.charAt(at++)) : -1;
                if (kind < 0 || kind == 8 && at + 4 > text.length()) throw wrong("an escape");
                if (kind < 8) {
                    result.append("\"\\/\b\f\n\r\t".charAt(kind));
                } else {
                    result.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                    at += 4;
                }
            }
        }

        private Object number() {
            int start = at;
            while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) ++at;
            String word = text.substring(start, at);
            if (!word.matches("-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?")) throw wrong("a value");
            if (word.matches("-?[0-9]{1,9}")) return Integer.valueOf(word);
            if (word.matches("-?[0-9]{10,18}")) return Long.valueOf(word);
            return word.matches("-?[0-9]+") ? (Object) new java.math.BigInteger(word) : Double.valueOf(word);
        }

        /** `value` as an object of `type`. */
        static Object bind(Object value, Type type) {
            Class<?> wanted = type instanceof ParameterizedType p ? (Class<?>) p.getRawType()
                : type instanceof Class<?> c ? c : Object.class;
            if (value == null || wanted == Object.class) return value;
            try {
                if (wanted == String.class) {
                    if (value instanceof String) return value;
                    throw new IllegalArgumentException("a String was expected, the event is " + write(value));
                }
                if (wanted == boolean.class || wanted == Boolean.class) return (Boolean) value;
                if (wanted == int.class || wanted == Integer.class) return decimal(value).intValueExact();
                if (wanted == long.class || wanted == Long.class) return decimal(value).longValueExact();
                if (wanted == double.class || wanted == Double.class) return decimal(value).doubleValue();
                if (wanted == float.class || wanted == Float.class) return decimal(value).floatValue();
                if (wanted == short.class || wanted == Short.class) return decimal(value).shortValueExact();
                if (wanted == BigDecimal.class) return decimal(value);
                if (wanted == Number.class) return (Number) value;
                if (wanted.isEnum()) return enumerator(wanted, (String) value);
                if (Map.class.isAssignableFrom(wanted)) return map((Map<?, ?>) value, type, 1);
                if (Collection.class.isAssignableFrom(wanted)) return list((List<?>) value, type);
                if (wanted.isArray()) return arrayOf((List<?>) value, wanted.getComponentType());
                return wanted.isRecord() ? record((Map<?, ?>) value, wanted) : bean((Map<?, ?>) value, wanted);
            } catch (ClassCastException | ArithmeticException | ReflectiveOperationException error) {
                throw new IllegalArgumentException("Cannot make a " + wanted.getName() + " of the event: " + error.getMessage());
            }
        }

        private static BigDecimal decimal(Object value) {
            return new BigDecimal(((Object) (Number) value).toString());
        }

        @SuppressWarnings({"unchecked", "rawtypes"})
        private static Object enumerator(Class<?> type, String name) {
            return Enum.valueOf((Class<Enum>) type, name);
        }

        private static Type argument(Type type, int index) {
            return type instanceof ParameterizedType p && p.getActualTypeArguments().length > index
                ? p.getActualTypeArguments()[index] : Object.class;
        }

        private static Map<Object, Object> map(Map<?, ?> values, Type type, int index) {
            Map<Object, Object> result = new LinkedHashMap<>();
            values.forEach((name, value) -> result.put(name, bind(value, argument(type, index))));
            return result;
        }

        private static Collection<Object> list(List<?> values, Type type) {
            boolean set = type instanceof ParameterizedType p && p.getRawType() == java.util.Set.class;
            Collection<Object> result = set ? new java.util.LinkedHashSet<>() : new ArrayList<>();
            for (Object value : values) result.add(bind(value, argument(type, 0)));
            return result;
        }

        private static Object arrayOf(List<?> values, Class<?> type) {
            Object result = Array.newInstance(type, values.size());
            for (int i = 0; i < values.size(); ++i) Array.set(result, i, bind(values.get(i), type));
            return result;
        }

        private static Object record(Map<?, ?> values, Class<?> type) throws ReflectiveOperationException {
            var components = type.getRecordComponents();
            Object[] arguments = new Object[components.length];
            Class<?>[] classes = new Class<?>[components.length];
            for (int i = 0; i < components.length; ++i) {
                classes[i] = components[i].getType();
                arguments[i] = bind(values.get(components[i].getName()), components[i].getGenericType());
            }
            var constructor = type.getDeclaredConstructor(classes);
            constructor.setAccessible(true);
            return constructor.newInstance(arguments);
        }

        private static Object bean(Map<?, ?> values, Class<?> type) throws ReflectiveOperationException {
            var constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            Object result = constructor.newInstance();
            for (Method setter : type.getMethods()) {
                if (!setter.getName().startsWith("set") || setter.getParameterCount() != 1) continue;
                String name = property(setter.getName(), 3);
                if (!values.containsKey(name)) continue;
                setter.setAccessible(true);
                setter.invoke(result, bind(values.get(name), setter.getGenericParameterTypes()[0]));
            }
            for (var field : type.getFields()) {
                if (Modifier.isStatic(field.getModifiers()) || !values.containsKey(field.getName())) continue;
                field.setAccessible(true);
                field.set(result, bind(values.get(field.getName()), field.getGenericType()));
            }
            return result;
        }

        private static String property(String method, int prefix) {
            return method.length() == prefix ? "" : method.substring(prefix, prefix + 1).toLowerCase() + method.substring(prefix + 1);
        }

        static String write(Object value) {
            StringBuilder text = new StringBuilder();
            try {
                write(text, value, 0);
            } catch (ReflectiveOperationException error) {
                throw new IllegalArgumentException("Unable to marshal response: " + error);
            }
            return text.toString();
        }

        private static void write(StringBuilder out, Object value, int depth) throws ReflectiveOperationException {
            if (depth > DEPTH_MAX) throw new IllegalArgumentException("Unable to marshal response: nested too deeply");
            if (value == null || value instanceof Boolean) out.append(value);
            else if (value instanceof Number n) out.append((n instanceof Double || n instanceof Float) && !Double.isFinite(n.doubleValue()) ? "null" : n.toString());
            else if (value instanceof CharSequence || value instanceof Character || value instanceof Enum) quote(out, value.toString());
            else if (value instanceof Map<?, ?> map) writeMap(out, map, depth);
            else if (value instanceof Iterable<?> items) writeItems(out, items, depth);
            else if (value.getClass().isArray()) writeItems(out, boxed(value), depth);
            else writeMap(out, properties(value), depth);
        }

        private static List<Object> boxed(Object array) {
            List<Object> items = new ArrayList<>();
            for (int i = 0; i < Array.getLength(array); ++i) items.add(Array.get(array, i));
            return items;
        }

        private static Map<String, Object> properties(Object value) throws ReflectiveOperationException {
            Map<String, Object> result = new LinkedHashMap<>();
            Class<?> type = value.getClass();
            if (type.isRecord()) {
                for (var component : type.getRecordComponents()) {
                    component.getAccessor().setAccessible(true);
                    result.put(component.getName(), component.getAccessor().invoke(value));
                }
                return result;
            }
            for (var field : type.getFields()) {
                field.setAccessible(true);
                if (!Modifier.isStatic(field.getModifiers())) result.put(field.getName(), field.get(value));
            }
            for (Method getter : type.getMethods()) {
                String name = getter.getName();
                int prefix = name.startsWith("get") ? 3 : name.startsWith("is") ? 2 : 0;
                boolean plain = getter.getParameterCount() == 0 && !Modifier.isStatic(getter.getModifiers());
                if (prefix == 0 || !plain || name.equals("getClass") || property(name, prefix).isEmpty()) continue;
                getter.setAccessible(true);
                result.put(property(name, prefix), getter.invoke(value));
            }
            return result;
        }

        private static void writeMap(StringBuilder out, Map<?, ?> map, int depth) throws ReflectiveOperationException {
            String separator = "{";
            for (var entry : map.entrySet()) {
                quote(out.append(separator), String.valueOf(entry.getKey()));
                write(out.append(':'), entry.getValue(), depth + 1);
                separator = ",";
            }
            out.append(map.isEmpty() ? "{}" : "}");
        }

        private static void writeItems(StringBuilder out, Iterable<?> items, int depth) throws ReflectiveOperationException {
            String separator = "[";
            for (Object item : items) {
                write(out.append(separator), item, depth + 1);
                separator = ",";
            }
            out.append(separator.equals("[") ? "[]" : "]");
        }

        private static void quote(StringBuilder out, String text) {
            out.append('"');
            for (int i = 0; i < text.length(); ++i) {
                char c = text.charAt(i);
                int escape = "\"\\\b\f\n\r\t".indexOf(c);
                if (escape >= 0) out.append('\\').append("\"\\bfnrt".charAt(escape));
                else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
                else out.append(c);
            }
            out.append('"');
        }
    }
}
