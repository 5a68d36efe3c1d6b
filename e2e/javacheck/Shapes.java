import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

/**
 * Fills a schema with made-up values, the same ones every time.
 *
 *   full   every field set, every number another one, two elements in each array, tagged fields present
 *   empty  zeroes, empty strings and arrays, no tagged fields
 *   nulls  full, but null wherever null is allowed
 *   long   full with strings of 300 characters and 200 elements in the arrays on the path of first elements, so that
 *          each length takes two bytes in the compact encoding
 */
final class Shapes {
    private final String shape;
    private int counter;

    Shapes(String shape) {
        if (!shape.matches("full|empty|nulls|long")) {
            throw new IllegalArgumentException("unknown shape " + shape);
        }
        this.shape = shape;
    }

    Struct struct(Schema schema, int depth, boolean first) {
        Struct s = new Struct(schema);
        for (BoundField f : schema.fields()) {
            s.set(f, value(f.def.type, depth, first));
        }
        return s;
    }

    private Object value(Type type, int depth, boolean first) {
        if (type instanceof TaggedFields) {
            return tagged((TaggedFields) type, depth, first);
        }
        if (type.isNullable() && shape.equals("nulls")) {
            return null;
        }
        if (type instanceof Schema) {
            return struct((Schema) type, depth, first);
        }
        if (type.isArray()) {
            Object[] elements = new Object[length(first)];
            for (int i = 0; i < elements.length; i++) {
                elements[i] = value(type.arrayElementType().get(), depth + 1, first && i == 0);
            }
            return elements;
        }
        return scalar(((Type.DocumentedType) type).typeName());
    }

    private int length(boolean first) {
        if (shape.equals("empty")) {
            return 0;
        }
        return shape.equals("long") && first ? 200 : 2;
    }

    private Object scalar(String type) {
        int n = shape.equals("empty") ? 0 : ++counter;
        switch (type) {
            case "BOOLEAN":
                return n % 2 == 1;
            case "INT8":
                return (byte) (n % 128);
            case "INT16":
                return (short) (n % 32768);
            case "UINT16":
                return n % 65536;
            case "INT32":
            case "VARINT":
                return n;
            case "UINT32":
                return (long) n;
            case "INT64":
            case "VARLONG":
                return n == 0 ? 0L : (1L << 40) + n;
            case "FLOAT64":
                return n / 8.0;
            case "UUID":
                return n == 0 ? Uuid.ZERO_UUID : new Uuid(0x1122334455667788L, n);
            default:
                break;
        }
        if (type.endsWith("STRING")) {
            return text(n);
        }
        if (type.endsWith("BYTES")) {
            return ByteBuffer.wrap(text(n).getBytes(java.nio.charset.StandardCharsets.UTF_8));
        }
        throw new IllegalArgumentException("no made-up value for type " + type);
    }

    private String text(int n) {
        if (n == 0) {
            return "";
        }
        // Two bytes in UTF-8: a length counted in characters would show.
        String s = "\u00e4" + n;
        return shape.equals("long") ? s + "x".repeat(300) : s;
    }

    private Map<Integer, Object> tagged(TaggedFields type, int depth, boolean first) {
        Map<Integer, Object> values = new TreeMap<>();
        if (shape.equals("full") || shape.equals("long")) {
            fields(type).forEach((tag, f) -> values.put(tag, value(f.type, depth, first)));
        }
        return values;
    }

    @SuppressWarnings("unchecked")
    private static Map<Integer, org.apache.kafka.common.protocol.types.Field> fields(TaggedFields type) {
        try {
            Field f = TaggedFields.class.getDeclaredField("fields"); // there is no accessor
            f.setAccessible(true);
            return (Map<Integer, org.apache.kafka.common.protocol.types.Field>) f.get(type);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
