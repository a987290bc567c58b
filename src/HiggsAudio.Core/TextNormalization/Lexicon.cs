namespace HiggsAudio.TextNormalization;

/// <summary>The words that are not spoken as they are written.</summary>
internal static class Lexicon
{
    /// <summary>Abbreviations that stand before a name; their full stop ends nothing.</summary>
    public static readonly Dictionary<string, string> Titles = new()
    {
        ["Mr"] = "Mister", ["Mrs"] = "Missus", ["Ms"] = "Miz", ["Dr"] = "Doctor", ["Prof"] = "Professor", ["Rev"] = "Reverend", ["Gen"] = "General",
        ["Col"] = "Colonel", ["Capt"] = "Captain", ["Lt"] = "Lieutenant", ["Sgt"] = "Sergeant", ["Sen"] = "Senator", ["Gov"] = "Governor", ["Pres"] = "President",
        ["St"] = "Saint", ["Mt"] = "Mount", ["Ft"] = "Fort", ["Hon"] = "Honorable", ["Messrs"] = "Messieurs",
    };

    /// <summary>After a name they mean something else.</summary>
    public static readonly Dictionary<string, string> Streets = new() { ["St"] = "Street", ["Dr"] = "Drive" };

    /// <summary>Spoken thus without a full stop too, before a capital.</summary>
    public static readonly HashSet<string> TitlesWithoutStop = ["Mr", "Mrs", "Ms", "Dr", "Prof", "St"];

    /// <summary>Abbreviations with a full stop, which may end the sentence too. In small letters.</summary>
    public static readonly Dictionary<string, string> Abbreviations = new()
    {
        ["etc"] = "et cetera", ["vs"] = "versus", ["approx"] = "approximately", ["dept"] = "department", ["est"] = "established", ["govt"] = "government",
        ["inc"] = "incorporated", ["ltd"] = "limited", ["corp"] = "corporation", ["bros"] = "brothers", ["jr"] = "junior", ["sr"] = "senior",
        ["ave"] = "avenue", ["blvd"] = "boulevard", ["rd"] = "road", ["hwy"] = "highway", ["apt"] = "apartment", ["tel"] = "telephone", ["ext"] = "extension",
        ["cf"] = "compare", ["misc"] = "miscellaneous", ["max"] = "maximum", ["min"] = "minimum", ["avg"] = "average", ["temp"] = "temperature",
        ["univ"] = "university", ["assn"] = "association", ["intl"] = "international", ["viz"] = "namely",
    };

    /// <summary>Abbreviations that are such only before a number.</summary>
    public static readonly Dictionary<string, string> BeforeNumbers = new()
    {
        ["no"] = "number", ["nos"] = "numbers", ["p"] = "page", ["pp"] = "pages", ["vol"] = "volume", ["fig"] = "figure", ["figs"] = "figures", ["ch"] = "chapter",
        ["sec"] = "section", ["art"] = "article", ["ca"] = "circa", ["c"] = "circa", ["eq"] = "equation", ["ver"] = "version", ["par"] = "paragraph",
    };

    /// <summary>Letters with full stops that are not spelled. In small letters.</summary>
    public static readonly Dictionary<string, string> Dotted = new()
    {
        ["e.g."] = "for example", ["i.e."] = "that is", ["n.b."] = "note well",
    };

    /// <summary>Written without a full stop.</summary>
    public static readonly Dictionary<string, string> Plain = new() { ["etc"] = "et cetera", ["vs"] = "versus" };

    /// <summary>Capitals that are a word. All others of two to five letters are spelled.</summary>
    public static readonly HashSet<string> SpokenAcronyms =
    [
        "NASA", "NATO", "UNICEF", "OPEC", "AIDS", "FIFA", "UEFA", "NAFTA", "RADAR", "SONAR", "LASER", "SCUBA", "SWAT", "NAVY", "RAM", "ROM", "PIN", "SIM", "GIF", "LAN", "WAN",
        "COVID", "SARS", "ASCII", "BASIC", "LINUX", "UNIX", "JAVA", "NIMBY", "SCSI", "JSON", "CAPS", "ZIP", "MIDI", "WAV", "RISC", "CUDA", "NET",
    ];

    /// <summary>Words that are written in capitals for their weight.</summary>
    public static readonly HashSet<string> EmphaticWords = [..
        ("ALL AM AN AND ANY ARE AS AT BAD BE BEEN BEST BIG BOY BUT BUY BY CALL CAN COME DAY DID DO DON DOWN DROP EACH END EVEN EVER EVERY FAR FAST FEW FIND FIRE FOR FREE FROM FULL " +
         "GET GIRL GIVE GO GOD GOOD GREAT HAD HAS HAVE HE HEAR HELLO HELP HER HERE HIM HIS HOME HOT HOW IF IN INTO IS IT ITS JUST KEEP KNOW LAST LATE LET LIFE LIKE LIVE LONG LOOK " +
         "LOVE MAD MAKE MAN MANY ME MORE MOST MUCH MUST MY NEED NEVER NEW NEXT NICE NO NOT NOTE NOW OF OFF OH OLD ON ONE ONLY OPEN OR OTHER OUR OUT OVER OWN PLAY PLEASE PUT READ " +
         "RED REAL RIGHT RUN SAD SAFE SAID SALE SAY SEE SHE SHOW SO SOME SOON STAY STILL STOP SUCH SURE TAKE TELL THAN THAT THE THEM THEN THERE THESE THEY THIS TIME TO TODAY TOO " +
         "TRUE TRY TWO UNDER UP USE VERY WAIT WALK WANT WAR WAS WAY WE WELL WENT WERE WHAT WHEN WHERE WHO WHY WILL WITH WORD WORK WOW WRONG YEAR YES YET YOU YOUR").Split(' ')];

    /// <summary>What numbers in Roman digits count rather than order.</summary>
    public static readonly HashSet<string> Counted =
        ["Chapter", "Part", "War", "Volume", "Act", "Scene", "Book", "Type", "Phase", "Section", "Figure", "Appendix", "Episode", "Level", "Title", "Article", "Table", "Class", "Stage"];

    /// <summary>Kings, queens and popes.</summary>
    public static readonly HashSet<string> Regnal =
    [
        "Henry", "George", "Louis", "Elizabeth", "Charles", "William", "Edward", "James", "Richard", "John", "Paul", "Pius", "Benedict", "Francis", "Philip", "Alexander",
        "Catherine", "Frederick", "Leo", "Gregory", "Clement", "Napoleon", "Wilhelm", "Innocent", "Nicholas", "Peter", "Ferdinand", "Ivan", "Harald", "Gustav", "Christian", "Mary",
    ];

    /// <summary>Words that begin with an apostrophe. In small letters, without it.</summary>
    public static readonly HashSet<string> Elided = ["tis", "twas", "em", "cause", "til", "till", "bout", "round", "n", "cos", "neath", "twere", "twill"];

    /// <summary>The names of α to ω.</summary>
    public static readonly string[] Greek =
    [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "sigma", "tau",
        "upsilon", "phi", "chi", "psi", "omega",
    ];
}
