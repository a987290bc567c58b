using HiggsAudio.Server.Contracts;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace HiggsAudio.Server.Endpoints;

/// <summary>What the OpenAPI document says beyond what it finds out from the endpoints.</summary>
internal static class OpenApiDocument
{
    private const string Scheme = "bearer";

    public static Task DescribeAsync(Microsoft.OpenApi.OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Higgs Audio v2",
            Version = "v1",
            Description = "Text to speech and conversations of text and sound, compatible with OpenAI's API.",
        };
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [Scheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = Scheme, Description = "Only if the server was given keys." },
        };
        return Task.CompletedTask;
    }

    // Members are optional in the types, so that what is missing is told by name; and a text or a list is read by a converter, whose type says nothing.
    public static Task DescribeSchemaAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context)
    {
        Type type = context.JsonTypeInfo.Type;
        if (type == typeof(SpeechRequest))
            schema.Required = new HashSet<string> { "input" };
        else if (type == typeof(ChatRequest))
            schema.Required = new HashSet<string> { "messages" };
        else if (type == typeof(ChatContent))
            TextOrList(schema, "A text, or a list of parts of the type text or input_audio.", JsonSchemaType.Object);
        else if (type == typeof(StopTexts))
            TextOrList(schema, "A text, or a list of texts.", JsonSchemaType.String);
        return Task.CompletedTask;
    }

    // The parts of a form have no type.
    public static Task DescribeOperationAsync(OpenApiOperation operation)
    {
        if (operation.OperationId != "createVoice" || operation.RequestBody?.Content?["multipart/form-data"] is not { } form)
            return Task.CompletedTask;
        form.Schema = new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Required = new HashSet<string> { "audio_sample", "name", "ref_text", "consent" },
            Properties = new Dictionary<string, IOpenApiSchema>
            {
                ["audio_sample"] = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary", Description = "A WAV file of one voice; some 5 to 30 seconds." },
                ["name"] = Text("Its name: letters, digits, '_' and '-'."),
                ["ref_text"] = Text("What is said in it, word for word."),
                ["consent"] = Text("How the speaker agreed to this use of the voice."),
                ["speaker_description"] = Text("What the voice is like."),
            },
        };
        return Task.CompletedTask;
    }

    private static OpenApiSchema Text(string description) => new() { Type = JsonSchemaType.String, Description = description };

    private static void TextOrList(OpenApiSchema schema, string description, JsonSchemaType items)
    {
        schema.Description = description;
        schema.AnyOf = [new OpenApiSchema { Type = JsonSchemaType.String }, new OpenApiSchema { Type = JsonSchemaType.Array, Items = new OpenApiSchema { Type = items } }];
    }
}
