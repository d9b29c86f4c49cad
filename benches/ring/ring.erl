%% The same process ring in Erlang: every process knows its next and its prev, a message carries
%% direction, limit and counter. Written for this comparison, after the idea of the tutorial.
%% Started as: erl +S 1:1 +P 4000000 -noshell -run ring main PROCESSES HOPS
-module(ring).
-export([main/1, unlinked/0]).

main([Processes, Relays]) ->
    N = list_to_integer(Processes),
    Limit = list_to_integer(Relays),
    %% Once before it counts: the first call loads modules.
    _ = processor_ns(),
    Memory = erlang:memory(processes),
    Begun = processor_ns(),
    Ring = [spawn(?MODULE, unlinked, []) || _ <- lists:seq(1, N)],
    link_all(Ring, hd(Ring)),
    Last = lists:last(Ring),
    %% Dropped where it arrives: behind all the linking.
    relay_and_wait(Last, 0),
    Linked = processor_ns(),
    NsToStart = (Linked - Begun) div N,
    %% Not resident memory: at 1,000 processes Erlang still has enough of that from its start.
    Bytes = (erlang:memory(processes) - Memory) div N,
    Sent = processor_ns(),
    relay_and_wait(hd(Ring), Limit),
    Dropped = processor_ns(),
    io:format("~b ~b ~b~n", [(Dropped - Sent) div Limit, NsToStart, Bytes]),
    halt(0).

link_all([Last], First) -> link(Last, First);
link_all([A, B | Rest], First) -> link(A, B), link_all([B | Rest], First).

link(A, B) ->
    A ! {set_next, B},
    B ! {set_prev, A}.

relay_and_wait(First, Limit) ->
    First ! {relay, anti_clockwise, Limit, 1, {self(), "Hi"}},
    receive dropped -> ok end.

unlinked() -> loop(self(), self()).

loop(Prev, Next) ->
    receive
        {set_next, N} -> loop(Prev, N);
        {set_prev, P} -> loop(P, Next);
        {relay, _, Limit, Relays, {Watch, _}} when Relays > Limit ->
            Watch ! dropped,
            loop(Prev, Next);
        {relay, clockwise, Limit, Relays, Message} ->
            Next ! {relay, clockwise, Limit, Relays + 1, Message},
            loop(Prev, Next);
        {relay, anti_clockwise, Limit, Relays, Message} ->
            Prev ! {relay, anti_clockwise, Limit, Relays + 1, Message},
            loop(Prev, Next)
    end.

%% Time that this operating system process has spent on a processor, all threads together.
processor_ns() ->
    {ok, Tasks} = file:list_dir("/proc/self/task"),
    lists:sum([processor_ns(Task) || Task <- Tasks]).

processor_ns(Task) ->
    {ok, Stat} = file:read_file("/proc/self/task/" ++ Task ++ "/schedstat"),
    [OnProcessor | _] = string:lexemes(binary_to_list(Stat), " "),
    list_to_integer(OnProcessor).
