using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace HiggsAudio.Packaging.Tests;

/// <summary>What of an assembly others can use, as lines like C#, sorted. Members that the compiler writes for records are left out.</summary>
internal static class PublicSurface
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    /// <summary>The lines.</summary>
    public static IEnumerable<string> Of(Assembly assembly)
    {
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            yield return $"{type.Namespace}: {Head(type)}";
            foreach (string member in Members(type).Order(StringComparer.Ordinal))
                yield return "    " + member;
        }
    }

    private static string Head(Type type)
    {
        string kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : typeof(Delegate).IsAssignableFrom(type) ? "delegate"
            : (type.IsValueType ? type.IsDefined(typeof(IsReadOnlyAttribute)) ? "readonly " : "" : type.IsAbstract && type.IsSealed ? "static " : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "")
            + (type.GetMethod("<Clone>$", Declared) is not null || type.GetMethod("PrintMembers", Declared) is not null ? "record " : "") + (type.IsValueType ? "struct" : "class");
        var bases = new List<string>();
        if (!type.IsValueType && type.BaseType is { } parent && parent != typeof(object) && !kind.Contains("delegate", StringComparison.Ordinal))
            bases.Add(TypeNames.Of(parent));
        if (!type.IsEnum)
            bases.AddRange(type.GetInterfaces().Where(i => i.IsPublic && type.BaseType?.GetInterfaces().Contains(i) != true).Select(i => TypeNames.Of(i)).Order(StringComparer.Ordinal));
        return $"{kind} {TypeNames.Of(type)}{(bases.Count > 0 ? " : " + string.Join(", ", bases) : "")}";
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
            return Enum.GetNames(type).Select(name => $"{name} = {Convert.ToInt64(Enum.Parse(type, name), CultureInfo.InvariantCulture)}");
        return type.GetConstructors(Declared).Where(IsSeen).Select(c => $"{Modifiers(c)}{TypeNames.Short(type)}({Parameters(c)})")
            .Concat(type.GetMethods(Declared).Where(m => IsSeen(m) && !IsCompilers(m) && (!m.IsSpecialName || m.Name.StartsWith("op_", StringComparison.Ordinal))).Select(Method))
            .Concat(type.GetProperties(Declared).Where(p => p.GetAccessors(true).Any(IsSeen) && !IsCompilers(p.GetAccessors(true)[0], p)).Select(Property))
            .Concat(type.GetFields(Declared).Where(f => (f.IsPublic || f.IsFamily) && !f.IsSpecialName).Select(Field))
            .Concat(type.GetEvents(Declared).Where(e => IsSeen(e.AddMethod!)).Select(e => $"event {TypeNames.Of(e)} {e.Name}"));
    }

    private static bool IsSeen(MethodBase method) => method.IsPublic || (method.IsFamily || method.IsFamilyOrAssembly) && !method.DeclaringType!.IsSealed;

    // A record's Equals, ==, GetHashCode, ToString, Deconstruct, PrintMembers, EqualityContract and copy constructor.
    private static bool IsCompilers(MethodBase method, PropertyInfo? property = null) =>
        property is null ? method.IsDefined(typeof(CompilerGeneratedAttribute)) : property.Name == "EqualityContract";

    private static string Modifiers(MethodBase method) =>
        (method.IsPublic ? "public " : "protected ") + (method.IsStatic ? "static " : "")
        + (method is MethodInfo { IsVirtual: true, IsFinal: false } virtuals && !method.DeclaringType!.IsInterface
            ? virtuals.GetBaseDefinition().DeclaringType != method.DeclaringType ? "override " : method.IsAbstract ? "abstract " : "virtual " : "");

    private static string Method(MethodInfo method)
    {
        string generic = method.IsGenericMethodDefinition ? $"<{string.Join(", ", method.GetGenericArguments().Select(a => a.Name))}>" : "";
        return $"{Modifiers(method)}{TypeNames.Of(method.ReturnParameter)} {method.Name}{generic}({Parameters(method)})";
    }

    private static string Property(PropertyInfo property)
    {
        MethodInfo accessor = property.GetAccessors(true).First(IsSeen);
        string name = property.GetIndexParameters().Length > 0 ? $"this[{Parameters(property.GetIndexParameters())}]" : property.Name;
        string set = property.SetMethod is not { } setter || !IsSeen(setter) ? ""
            : setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? " init;" : " set;";
        string required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
        return $"{Modifiers(accessor)}{required}{TypeNames.Of(property)} {name} {{{(property.GetMethod is { } getter && IsSeen(getter) ? " get;" : "")}{set} }}";
    }

    private static string Field(FieldInfo field) =>
        $"{(field.IsPublic ? "public" : "protected")} {(field.IsLiteral ? "const " : field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly " : "")}{TypeNames.Of(field)} {field.Name}"
        + (field.IsLiteral ? $" = {Literal(field.GetRawConstantValue())}" : "");

    private static string Parameters(MethodBase method) =>
        (method.IsDefined(typeof(ExtensionAttribute)) ? "this " : "") + Parameters(method.GetParameters());

    private static string Parameters(ParameterInfo[] parameters) => string.Join(", ", parameters.Select(parameter =>
    {
        string way = parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? parameter.IsIn ? "in " : "ref " : parameter.IsDefined(typeof(ParamArrayAttribute)) || parameter.IsDefined(typeof(ParamCollectionAttribute)) ? "params " : "";
        return $"{way}{TypeNames.Of(parameter)} {parameter.Name}{(parameter.HasDefaultValue ? " = " + Default(parameter) : "")}";
    }));

    private static string Default(ParameterInfo parameter) =>
        parameter.DefaultValue is null ? parameter.ParameterType.IsValueType && Nullable.GetUnderlyingType(parameter.ParameterType) is null ? "default" : "null"
        : parameter.ParameterType.IsEnum ? $"{TypeNames.Short(parameter.ParameterType)}.{Enum.GetName(parameter.ParameterType, parameter.DefaultValue) ?? Literal(parameter.DefaultValue)}"
        : Literal(parameter.DefaultValue);

    private static string Literal(object? value) => value switch
    {
        null => "null",
        string text => $"\"{text}\"",
        bool flag => flag ? "true" : "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}
