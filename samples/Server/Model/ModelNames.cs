using HiggsAudio.Server.Http;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Model;

/// <summary>The name of the model that is served, and the others that it answers to.</summary>
internal sealed class ModelNames(IOptions<ServerOptions> options)
{
    /// <summary>The name.</summary>
    public string Served { get; } = options.Value.ServedName;

    /// <summary>Refuses another model's name.</summary>
    /// <exception cref="ApiException">It is another's.</exception>
    public void Check(string? name)
    {
        if (name is not null && name != Served && !options.Value.ModelAliases.Contains(name, StringComparer.Ordinal))
            throw ApiException.NotFound($"The server has the model '{Served}' and no other.", "model", "model_not_found");
    }
}
