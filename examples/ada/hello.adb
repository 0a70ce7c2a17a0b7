--  A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
with Ada.Characters.Latin_1;
with Ada.Command_Line;
with Ada.Environment_Variables;
with Ada.Exceptions;
with Ada.Strings.Fixed;     use Ada.Strings.Fixed;
with Ada.Strings.Unbounded; use Ada.Strings.Unbounded;
with Ada.Text_IO;
with Ada.Text_IO.Text_Streams;

procedure Hello is

   Function_Error : exception;

   Calls : Natural := 0;

   function Read_All return Unbounded_String is
      use Ada.Text_IO;
      Event : Unbounded_String;
   begin
      while not End_Of_File loop
         Append (Event, Get_Line);
         if not End_Of_File then
            Append (Event, Ada.Characters.Latin_1.LF);
         end if;
      end loop;
      return Event;
   end Read_All;

   procedure Put (Text : String) is
   begin
      String'Write (Ada.Text_IO.Text_Streams.Stream (Ada.Text_IO.Standard_Output), Text);
   end Put;

   procedure Answer (Event : String) is
      function Begins (Start : String) return Boolean is (Index (Event, Start) = 1);

      --  VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
      function Text_Value return String is (Event (Event'First + 9 .. Event'Last - 2));
   begin
      if Begins ("{""name"":""") then
         Put ("{""message"":""Hello, " & Text_Value & "!""}");
      elsif Begins ("{""fail"":""") then
         raise Function_Error with Text_Value;
      elsif Begins ("{""context"":") then
         Put ("{""request_id"":""" & Ada.Environment_Variables.Value ("LAMBDA_RUNTIME_AWS_REQUEST_ID") & """}");
      elsif Begins ("{""count"":") then
         Calls := Calls + 1;
         Put ("{""count"":" & Trim (Calls'Image, Ada.Strings.Left) & "}");
      else
         Put (Event);
      end if;
   end Answer;

begin
   Answer (To_String (Read_All));
exception
   when Failure : others =>
      Ada.Text_IO.Put_Line (Ada.Text_IO.Standard_Error, "Function_Error: " & Ada.Exceptions.Exception_Message (Failure));
      Ada.Command_Line.Set_Exit_Status (Ada.Command_Line.Failure);
end Hello;
