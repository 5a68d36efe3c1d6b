import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.RequestHeader;

/**
 * Answers, line by line, what Kafka's own message classes think of a message.
 *
 *   check R|S key version hex   ok, if the bytes are exactly what Kafka would have written
 *   json  R|S key version hex   ok and the message as JSON
 *   gen   R|S key version shape ok and the bytes of a message made up by Shapes
 *   frame R|S key version hex   ok, if broker or client would take the whole frame, whose correlation id must be 7
 *   header R key version client ok and the bytes of a request's header, with correlation id 7; a dash is no client id
 *   versions R|S key            ok and the lowest and highest version that the classes know
 *
 * R is a request, S a response, without their header unless it is said otherwise; an empty body is written as a dash. An answer that
 * does not begin with ok begins with FAIL and tells why.
 */
public final class Checker {
    private static final HexFormat HEX = HexFormat.of();
    private static final int CORRELATION = 7;

    private Checker() {}

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(answer(line.trim().split("\\s+")));
        }
    }

    private static String answer(String[] words) {
        try {
            boolean request = words[1].equals("R");
            ApiMessageType type = ApiMessageType.fromApiKey(Short.parseShort(words[2]));
            Schema[] schemas = request ? type.requestSchemas() : type.responseSchemas();
            if (words[0].equals("versions")) {
                return versions(schemas);
            }
            short version = Short.parseShort(words[3]);
            if (version < 0 || version >= schemas.length || schemas[version] == null) {
                return "FAIL " + type.name + " has no version " + version;
            }
            ApiMessage message = request ? type.newRequest() : type.newResponse();
            switch (words[0]) {
                case "check":
                    return check(message, version, bytes(words[4]));
                case "json":
                    message.read(new ByteBufferAccessor(ByteBuffer.wrap(bytes(words[4]))), version);
                    return "ok " + json(message, version);
                case "frame":
                    return frame(ApiKeys.forId(type.apiKey()), version, request, ByteBuffer.wrap(bytes(words[4])));
                case "header":
                    return "ok " + hex(header(ApiKeys.forId(type.apiKey()), version, words[4]));
                case "gen":
                    return "ok " + hex(generate(message, schemas[version], version, words[4]));
                default:
                    return "FAIL unknown command " + words[0];
            }
        } catch (Throwable e) {
            // One bad message must not end the process: hundreds of others wait behind it.
            return "FAIL " + String.valueOf(e).replace('\n', ' ').replace('\r', ' ');
        }
    }

    private static String versions(Schema[] schemas) {
        int lowest = 0;
        while (lowest < schemas.length && schemas[lowest] == null) {
            lowest++;
        }
        return "ok " + lowest + " " + (schemas.length - 1);
    }

    private static String check(ApiMessage message, short version, byte[] given) throws Exception {
        ByteBuffer buffer = ByteBuffer.wrap(given);
        message.read(new ByteBufferAccessor(buffer), version);
        if (buffer.hasRemaining()) {
            return "FAIL " + buffer.remaining() + " of " + given.length + " bytes left over after " + message;
        }
        byte[] written = bytes(MessageUtil.toByteBuffer(message, version));
        int at = Arrays.mismatch(given, written);
        if (at >= 0) {
            return "FAIL differs at byte " + at + ": given " + hex(given) + ", Kafka writes " + hex(written)
                + " for " + message;
        }
        return "ok";
    }

    /** Reads a frame as SocketServer and NetworkClient do. */
    private static String frame(ApiKeys key, short version, boolean request, ByteBuffer buffer) {
        RequestHeader expected = new RequestHeader(key, version, "checker", CORRELATION);
        if (request) {
            RequestHeader given = RequestHeader.parse(buffer);
            if (given.apiKey() != key || given.apiVersion() != version || given.correlationId() != CORRELATION) {
                return "FAIL header " + given;
            }
            AbstractRequest.parseRequest(key, version, buffer);
        } else {
            AbstractResponse.parseResponse(buffer, expected);
        }
        return buffer.hasRemaining() ? "FAIL " + buffer.remaining() + " bytes left over" : "ok";
    }

    private static byte[] header(ApiKeys key, short version, String client) {
        RequestHeader h = new RequestHeader(key, version, client.equals("-") ? null : client, CORRELATION);
        return bytes(MessageUtil.toByteBuffer(h.data(), h.headerVersion()));
    }

    private static String json(ApiMessage message, short version) throws Exception {
        Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
        Method write = converter.getMethod("write", message.getClass(), short.class);
        return write.invoke(null, message, version).toString();
    }

    /**
     * The schema alone could write the bytes, but Kafka's message classes are what brokers run: they leave out a
     * tagged field that has its default, for one. So what the schema wrote is read and written by them.
     */
    private static byte[] generate(ApiMessage message, Schema schema, short version, String shape) {
        Object struct = new Shapes(shape).struct(schema, 0, true);
        ByteBuffer buffer = ByteBuffer.allocate(schema.sizeOf(struct));
        schema.write(buffer, struct);
        buffer.flip();
        message.read(new ByteBufferAccessor(buffer), version);
        if (buffer.hasRemaining()) {
            throw new IllegalStateException("schema and class of " + message + " disagree");
        }
        return bytes(MessageUtil.toByteBuffer((Message) message, version));
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] b = new byte[buffer.remaining()];
        buffer.get(b);
        return b;
    }

    private static byte[] bytes(String hex) {
        return hex.equals("-") ? new byte[0] : HEX.parseHex(hex);
    }

    private static String hex(byte[] b) {
        return b.length == 0 ? "-" : HEX.formatHex(b);
    }
}
