using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Extensions.AI.Hosting;

/// <summary>Checks the options of one registration.</summary>
/// <param name="name">The options' name: the key of the registration, or empty.</param>
internal sealed class RemoteOptionsValidator(string name) : IValidateOptions<HiggsAudioRemoteOptions>
{
    public ValidateOptionsResult Validate(string? optionsName, HiggsAudioRemoteOptions options)
    {
        if (optionsName != name)
            return ValidateOptionsResult.Skip;
        string[] problems = [.. options.Problems()];
        return problems.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }
}

/// <summary>Healthy if the server says so.</summary>
internal sealed class RemoteHealthCheck(HiggsAudioRemoteClient client) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await client.CheckHealthAsync(cancellationToken).ConfigureAwait(false);
            return HealthCheckResult.Healthy("The server is well.");
        }
        catch (HiggsAudioRemoteException problem)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, problem.Message, problem);
        }
    }
}
