//! The schemas of arguments and answers, in the subset that every client understands.

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The formats that JSON Schema itself defines and we use; validators complain about any other.
const FORMATS: [&str; 1] = ["date-time"];

/// Returns the schema of a tool's arguments.
pub(super) fn input<T: JsonSchema>() -> JsonObject {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = object(settings.into_generator().into_root_schema_for::<T>());
    schema.entry("properties").or_insert_with(|| json!({}));
    clean(&mut schema, true);
    schema
}

/// Returns the schema of a tool's answer: the object, its version, and what the user should know.
pub(super) fn output<T: JsonSchema>() -> JsonObject {
    let settings =
        SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.inline_subschemas = true);
    let mut schema = object(settings.into_generator().into_root_schema_for::<T>());
    // The words are for whoever reads the code; an agent would pay for them in every conversation.
    clean(&mut schema, false);
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("version".to_owned(), json!({ "type": "integer" }));
        properties.insert("warnings".to_owned(), json!({ "type": "array", "items": { "type": "string" } }));
    }
    if let Value::Array(required) = schema.entry("required").or_insert_with(|| json!([])) {
        for name in ["version", "warnings"] {
            if !required.contains(&json!(name)) {
                required.push(json!(name));
            }
        }
    }
    schema
}

fn object(schema: schemars::Schema) -> JsonObject {
    match schema.to_value() {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

fn clean(schema: &mut JsonObject, for_input: bool) {
    for noise in ["$schema", "title"] {
        schema.remove(noise);
    }
    clean_inner(schema, for_input);
}

fn clean_inner(schema: &mut JsonObject, for_input: bool) {
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        schema.remove("format");
    }
    if for_input {
        // An argument that is left out is not null, and some clients know of one type only.
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|one| one != "null");
            if let [only] = &types[..] {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        schema.remove("default");
    } else {
        schema.remove("description");
    }
    if schema.contains_key("properties") {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            if let Value::Object(property) = property {
                clean_inner(property, for_input);
            }
        }
    }
    for part in ["items", "anyOf"] {
        match schema.get_mut(part) {
            Some(Value::Object(part)) => clean_inner(part, for_input),
            Some(Value::Array(parts)) => {
                for part in parts.iter_mut().filter_map(Value::as_object_mut) {
                    clean_inner(part, for_input);
                }
            }
            _ => {}
        }
    }
}
