--  Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came.
with Ada.Command_Line;
with Ada.Strings.Fixed;
with Ogni;

procedure Hello is

   use type Ogni.Status;

   Lambda : Ogni.Runtime;

   function Answer (Event : String) return Ogni.Status is

      function Starts (Start : String) return Boolean is
        (Event'Length >= Start'Length
         and then Event (Event'First .. Event'First + Start'Length - 1) = Start);

      --  VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
      function Value return String is (Event (Event'First + 9 .. Event'Last - 2));

   begin
      if Starts ("{""name"":""") then
         return Ogni.Respond (Lambda, "{""message"":""Hello, " & Value & "!""}");
      elsif Starts ("{""fail"":""") then
         return Ogni.Fail (Lambda, "Example.Failed", Value);
      elsif Starts ("{""context"":") then
         return Ogni.Respond
           (Lambda, "{""request_id"":""" & Ogni.Request_Id (Lambda) & """,""remaining_ms"":"
            & Ada.Strings.Fixed.Trim (Ogni.Remaining_Ms (Lambda)'Image, Ada.Strings.Left) & "}");
      else
         return Ogni.Respond (Lambda, Event);
      end if;
   end Answer;

begin
   Ogni.Open (Lambda, "hello-ada/1");
   while Ogni.Next (Lambda) = Ogni.Ok loop
      exit when Answer (Ogni.Event (Lambda)) = Ogni.Fatal;
   end loop;
   Ada.Command_Line.Set_Exit_Status (1);
end Hello;
